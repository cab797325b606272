"""Runs everywhere: the places of a home that hold secrets, and why each is listed.

A program that looks for one of these in a jail is marked in ``venvjail log`` and, unless that is
what such a program always does, told of when its command ends.  `[audit] sensitive` adds to them.

Sources, by the letter that the entries name:

* F: firejail's ``etc/inc/disable-common.inc`` and ``disable-programs.inc``, what a desktop sandbox
  hides from every program: https://github.com/netblue30/firejail/tree/master/etc/inc
* W: W4SP Stealer and its copies on PyPI, reported by Phylum and Checkmarx in November 2022: browser
  profiles, Discord and Telegram sessions, wallets.
* C: ``torchtriton`` (PyTorch's own report, December 2022): ``~/.ssh/*``, ``~/.gitconfig``, the
  first thousand files of the home.
* U: the Shai-Hulud worm on npm (CISA alert of 23 September 2025): tokens of npm, GitHub and the
  clouds, searched for with TruffleHog.
* N: the Nx packages "s1ngularity" on npm (August 2025, GHSA-cxm3-wv7p-598c): ``~/.gitconfig``,
  ``~/.npmrc``, ``.env``, SSH keys, wallets and keystores by name.
"""

from typing import NamedTuple


class Sensitive(NamedTuple):
    """A place in the home, relative to it, with all below it, and what secrets it holds.

    ``usual`` names the programs that look there as a matter of course, by the last name of their
    executable; ``"*"`` is every program.
    """

    path: str
    kind: str
    usual: tuple[str, ...] = ()


_SSH = ("ssh", "scp", "sftp", "ssh-add", "ssh-agent", "ssh-keygen", "ssh-copy-id", "sshfs")
_GIT = ("git", "git-remote-https", "git-remote-http", "git-credential-store")
_GPG = ("gpg", "gpg2", "gpgv", "gpg-agent", "gpgconf", "dirmngr", "scdaemon", "gpgsm", "git")


def _places(kind: str, *paths: str, usual: tuple[str, ...] = ()) -> tuple[Sensitive, ...]:
    return tuple(Sensitive(path, kind, usual) for path in paths)


SENSITIVE: tuple[Sensitive, ...] = (
    # F C U N.  The first thing that every one of them takes.
    *_places("SSH keys", ".ssh", usual=_SSH),
    # F.  Also what signs releases and unlocks `pass`.
    *_places("GPG keys", ".gnupg", usual=_GPG),
    # F C U.  Long-lived access keys in plain files, or refresh tokens that are as good.
    *_places("AWS credentials", ".aws", usual=("aws",)),
    *_places("Azure credentials", ".azure", usual=("az",)),
    *_places("Google Cloud credentials", ".config/gcloud", ".boto", usual=("gcloud", "gsutil")),
    *_places(
        "cloud credentials",
        ".oci",
        ".bluemix",
        ".aliyun",
        ".config/doctl",
        ".config/hcloud",
        ".config/linode-cli",
        ".config/scw",
        ".config/openstack",
        ".config/rclone",
        ".config/flyctl",
        ".fly",
        ".s3cfg",
        ".terraform.d",
        ".pulumi",
        ".vault-token",
        ".passwd-s3fs",
        ".smbcredentials",
        ".davfs2",
    ),
    # F.  Certificates and tokens of clusters; the registries that images are pulled from.
    *_places("Kubernetes credentials", ".kube", usual=("kubectl", "helm", "k9s")),
    *_places(
        "container registry credentials",
        ".docker",
        ".config/containers",
        usual=("docker", "podman", "buildah", "skopeo"),
    ),
    # U N.  With one of these a worm publishes itself.
    *_places("package registry token", ".pypirc", ".config/hatch", ".config/pypoetry/auth.toml"),
    *_places("package registry token", ".npmrc", usual=("npm", "node", "yarn", "pnpm", "bun")),
    *_places("package registry token", ".yarnrc.yml", ".config/yarn", usual=("node", "yarn")),
    *_places(
        "package registry token",
        ".cargo/credentials",
        ".cargo/credentials.toml",
        usual=("cargo",),
    ),
    *_places("package registry token", ".gem/credentials", ".m2/settings.xml", ".config/composer"),
    # U N.
    *_places("git credentials", ".git-credentials", ".config/git/credentials", usual=_GIT),
    *_places("GitHub token", ".config/gh", ".config/hub", usual=("gh", "hub")),
    *_places("GitLab token", ".config/glab-cli", usual=("glab",)),
    # Every HTTP client asks: requests for each session without its own authentication (pip is
    # one), httpx, curl, git, wget.  Seen beside an alarm it is named, alone it is none.
    *_places("passwords of hosts", ".netrc", "_netrc", usual=("*",)),
    # U.  Tokens that pay for, or train, somebody's models.
    *_places(
        "AI service token",
        ".huggingface",
        ".kaggle",
        ".config/kaggle",
        ".openai",
        ".anthropic",
        ".claude",
        ".claude.json",
        ".codex",
        ".gemini",
        ".config/github-copilot",
    ),
    # F W.  Cookies are sessions that need no password any more; saved passwords lie beside them.
    *_places(
        "browser profile",
        ".mozilla",
        ".config/mozilla",
        ".config/google-chrome",
        ".config/google-chrome-beta",
        ".config/google-chrome-unstable",
        ".config/chromium",
        ".config/BraveSoftware",
        ".config/microsoft-edge",
        ".config/opera",
        ".config/vivaldi",
        ".config/yandex-browser",
        ".librewolf",
        ".waterfox",
    ),
    # F.  What flatpaks and snaps keep, browsers and messengers among them.
    *_places("data of desktop programs", ".var/app", "snap"),
    # F W.  A copied session is the account.
    *_places(
        "messenger session",
        ".config/discord",
        ".config/discordcanary",
        ".config/discordptb",
        ".config/Slack",
        ".config/Signal",
        ".config/Element",
        ".local/share/TelegramDesktop",
        ".config/telegram-desktop",
    ),
    # F.
    *_places("mail", ".thunderbird", ".mutt", ".muttrc", ".msmtprc", ".fetchmailrc", "Mail"),
    # F W N.  Nobody gives that money back.
    *_places(
        "wallet",
        ".bitcoin",
        ".litecoin",
        ".dogecoin",
        ".dashcore",
        ".zcash",
        ".monero",
        "Monero",
        ".ethereum",
        ".electrum",
        ".electron-cash",
        ".atomic",
        ".config/atomic",
        ".config/Exodus",
        ".config/solana",
        ".config/Ledger Live",
        ".config/@trezor",
        ".config/Jaxx",
        ".config/Coinomi",
        ".armory",
        ".wasabi",
        ".walletwasabi",
        ".near-credentials",
        ".brownie",
        ".foundry/keystores",
    ),
    # F.
    *_places(
        "password store",
        ".password-store",
        ".config/keepassxc",
        ".keepassx",
        ".config/KeePass",
        ".local/share/keyrings",
        ".local/share/kwalletd",
        ".config/Bitwarden",
        ".config/Bitwarden CLI",
        ".config/1Password",
        ".config/op",
        ".op",
        ".lastpass",
        ".config/sops",
        ".config/age",
        ".config/keybase",
        ".pki",
        ".Private",
        ".ecryptfs",
    ),
    # F.  Passwords typed into the wrong prompt, tokens on command lines, names of hosts.
    *_places(
        "shell history",
        ".bash_history",
        ".zsh_history",
        ".histfile",
        ".sh_history",
        ".local/share/fish/fish_history",
        usual=("bash", "zsh", "fish", "sh", "dash"),
    ),
    *_places(
        "history of a client",
        ".psql_history",
        ".mysql_history",
        ".rediscli_history",
        ".node_repl_history",
        ".sqlite_history",
        ".lesshst",
        usual=("psql", "mysql", "mariadb", "redis-cli", "node", "sqlite3", "less"),
    ),
    # The interpreter reads it at every interactive start.
    *_places("shell history", ".python_history", usual=("*",)),
    # F.
    *_places("database password", ".pgpass", ".my.cnf", ".mylogin.cnf", ".dbshell",
             usual=("psql", "pg_dump", "mysql", "mariadb", "mongosh")),
    *_places("remote access", ".config/remmina", ".local/share/remmina", ".vnc", ".config/openvpn",
             ".cert", ".config/filezilla", ".rhosts", ".shosts", ".Xauthority"),
)  # fmt: skip
