"""Runs everywhere: the built-in lists that config files add to, and why each entry is there."""

# --- [home] allow ---------------------------------------------------------------------------

#: Shell start-up files: the user's aliases, functions and prompt work in the jail.  Read-only, and
#: meant to be read by programs; who keeps secrets in one of them hides it.
HOME_ALLOW = (
    ".bashrc",
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".inputrc",
    ".zshenv",
    ".zprofile",
    ".zshrc",
    ".zlogin",
    ".zlogout",
    ".config/fish",
)

# --- [project] protect ----------------------------------------------------------------------

#: What the user's own tools run, outside the jail, from a project's directory.
PROJECT_PROTECT = (
    # Version control: hooks, and config that names programs (core.fsmonitor, core.pager, aliases).
    ".git",
    ".hg",
    ".svn",
    ".jj",
    # Editors: tasks and launch configurations run on opening the folder, interpreters are named.
    ".vscode",
    ".idea",
    ".zed",
    # Agents: hooks, permissions, and servers of the Model Context Protocol, which are commands.
    ".claude",
    ".codex",
    ".cursor",
    ".gemini",
    ".mcp.json",
    # Commands that run on the host, and mounts of it, when the container is made
    # (initializeCommand).
    ".devcontainer",
    ".devcontainer.json",
    # direnv runs it on `cd`; it asks first, but the user has learned to say yes.
    ".envrc",
)

# --- [proc] allow ---------------------------------------------------------------------------

#: What libc, language runtimes and monitoring libraries read about the machine; nothing here is
#: about other users or their processes.  A directory stands for all below it.
PROC_ALLOW = (
    "cpuinfo",
    "meminfo",
    "stat",
    "uptime",
    "loadavg",
    "version",
    "filesystems",
    "mounts",  # a link to self/mounts
    "net",  # a link to self/net
    "swaps",
    "vmstat",
    # uname(2) and friends, spelled as files.
    "sys/kernel/osrelease",
    "sys/kernel/ostype",
    "sys/kernel/version",
    "sys/kernel/hostname",
    "sys/kernel/domainname",
    # Sizes that runtimes ask for: sysconf(3), multiprocessing, libcap, PostgreSQL, the JVM.
    "sys/kernel/pid_max",
    "sys/kernel/threads-max",
    "sys/kernel/ngroups_max",
    "sys/kernel/cap_last_cap",
    "sys/kernel/overflowuid",
    "sys/kernel/overflowgid",
    "sys/kernel/sem",
    "sys/kernel/shmall",
    "sys/kernel/shmmax",
    "sys/kernel/shmmni",
    "sys/kernel/msgmax",
    "sys/kernel/msgmnb",
    "sys/kernel/msgmni",
    # boot_id and uuid (systemd's libraries, PyTorch), entropy_avail.
    "sys/kernel/random",
    # Debuggers, sanitizers and profilers explain with these why they cannot work.
    "sys/kernel/yama/ptrace_scope",
    "sys/kernel/perf_event_paranoid",
    "sys/kernel/randomize_va_space",
    "sys/kernel/seccomp/actions_avail",
    # Allocators, databases and search engines.
    "sys/vm/overcommit_memory",
    "sys/vm/overcommit_ratio",
    "sys/vm/max_map_count",
    "sys/vm/mmap_min_addr",
    "sys/vm/nr_hugepages",
    "sys/vm/swappiness",
    "sys/fs/file-max",
    "sys/fs/file-nr",
    "sys/fs/nr_open",
    "sys/fs/pipe-max-size",
    "sys/fs/aio-max-nr",
    # File watchers (watchdog, watchfiles, node) size themselves by these, and the oldest (F_NOTIFY)
    # take a missing file for a kernel without it.
    "sys/fs/inotify",
    "sys/fs/dir-notify-enable",
    # OpenSSL and libgcrypt ask whether they must be in FIPS mode.
    "sys/crypto/fips_enabled",
    # Servers: the accept backlog (Go, asyncio servers), ports, whether there is IPv6.
    "sys/net/core/somaxconn",
    "sys/net/ipv4/ip_local_port_range",
    "sys/net/ipv4/tcp_fin_timeout",
    "sys/net/ipv6/conf/all/disable_ipv6",
)

# --- [run] allow ----------------------------------------------------------------------------

#: Files and trees of read-only data that ordinary programs need; never a directory with sockets.
#: Not here although asked for elsewhere: ``/run/host`` (in toolbox and flatpak it is the whole
#: host, sockets included), ``/run/systemd`` as a directory (sockets of PID 1, journald, userdb),
#: ``/run/nscd``, ``/run/dbus``, ``/run/docker.sock``, ``/run/utmp`` (who is logged in from where).
RUN_ALLOW = (
    # NixOS: every program in PATH and the OpenGL drivers are reached through these links.
    "/run/current-system",
    "/run/opengl-driver",
    "/run/opengl-driver-32",
    # Name resolution: what /etc/resolv.conf points to with systemd-resolved, NetworkManager,
    # resolvconf and openresolv, ConnMan, and SUSE's netconfig.  The files only, so that the
    # resolver's varlink socket beside the first two stays out.
    "/run/systemd/resolve/resolv.conf",
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/NetworkManager/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    "/run/resolvconf/resolv.conf",
    "/run/connman/resolv.conf",
    "/run/netconfig/resolv.conf",
    # Markers, without content that matters: in a podman container, on an ostree system.
    "/run/.containerenv",
    "/run/ostree-booted",
)

# --- [environment] withhold -----------------------------------------------------------------

#: Names that say "secret" themselves.  They catch what no list of products can: the token of the
#: service founded last week.  A name that is withheld without need costs the user one `keep`.
SECRET_WORDS = (
    "*TOKEN*",
    "*SECRET*",
    "*PASSWORD*",
    "*PASSWD*",
    "*PASSPHRASE*",
    "*_PASS",
    "*CREDENTIAL*",
    # `_KEY` at the end only: KEYBOARD, KEYMAP, LESSKEY, PIP_KEYRING_PROVIDER and
    # GIT_CONFIG_KEY_0 must pass.
    "*_KEY",
    "*_KEYS",
    "*APIKEY",
    "*ACCESS_KEY*",
    "*PRIVATE_KEY*",
    "*_KEY_B64",
    "*_KEY_BASE64",
    "*_PAT",  # personal access token
    "*_JWT",
    # npm_config__auth, COMPOSER_AUTH, REDISCLI_AUTH; not *AUTH*, which is in GIT_AUTHOR_NAME.
    "*_AUTH",
    "*WEBHOOK*",  # whoever knows the address may post
    "*MNEMONIC*",  # the words that are a wallet
    "*SEED_PHRASE*",
)

#: Whole families, where the names beside the secret identify the account to attack with it.
CLOUD = (
    "AWS_*",
    "AZURE_*",
    "ARM_CLIENT_*",  # Terraform's Azure provider; not ARM_*, which cross-compilers use
    "CLOUDSDK_*",
    "VAULT_*",
    "KUBECONFIG",
    # The address of a daemon that starts root processes for whoever can talk to it.
    "DOCKER_HOST",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CERT_PATH",
    "CONTAINER_HOST",
)

#: Continuous integration: what lets a step act as the job.
CI = (
    "ACTIONS_*",  # GitHub: the run's token, and where to exchange it for cloud credentials
    "CI_REPOSITORY_URL",  # GitLab: the job's token is inside the address
    "CI_JOB_JWT*",
    "CI_DEPLOY_*",
)

#: Publishing to package registries.  Reading from an index (PIP_INDEX_URL, UV_INDEX_URL, PIP_CERT,
#: the proxies) passes: `pip install` in the jail is what the jail is for.
REGISTRIES = (
    "TWINE_*",
    "UV_PUBLISH_*",
    "PDM_PUBLISH_*",
    "POETRY_PYPI_TOKEN_*",
    "POETRY_HTTP_BASIC_*",
    "FLIT_USERNAME",
    "HATCH_INDEX_USER",
    "HATCH_INDEX_AUTH",
    "MATURIN_USERNAME",
)

#: Unlocked password managers and clients whose secret has a name of its own.
VAULTS = (
    "BW_SESSION",
    "OP_SESSION_*",
    "FASTLANE_SESSION",
    "MYSQL_PWD",
)

#: Addresses of agents and of programs that act for the user outside the jail.  Their sockets are
#: out of reach as well; without the name a program does not try, and says so sooner.
AGENTS = (
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "SSH_AGENT_LAUNCHER",
    "GPG_AGENT_INFO",
    "GNOME_KEYRING_*",
    # Programs that ask the user, or VS Code, for a password on behalf of git, ssh or sudo.
    "SSH_ASKPASS",
    "GIT_ASKPASS",
    "SUDO_ASKPASS",
    "VSCODE_GIT_*",
    "VSCODE_IPC_HOOK*",
    "REMOTE_CONTAINERS_IPC",
    # Editors and terminals that execute what they are sent.
    "NVIM",
    "NVIM_LISTEN_ADDRESS",
    "EMACS_SERVER_FILE",
    "EMACS_SOCKET_NAME",
    "KITTY_LISTEN_ON",
    "WEZTERM_UNIX_SOCKET",
    # Not TMUX and STY: `[ -z "$TMUX" ] && exec tmux` is common in a .bashrc, and without the name
    # would start a second multiplexer in each jailed shell.  Their sockets are in the host's /tmp
    # and /run, where the jail cannot reach them.
)

#: Message buses, the session's managers, and descriptors that an entry closes.
BUSES = (
    "DBUS_*",
    "AT_SPI_BUS_ADDRESS",
    "IBUS_ADDRESS",
    "SESSION_MANAGER",
    "SWAYSOCK",
    "I3SOCK",
    "HYPRLAND_INSTANCE_SIGNATURE",
    "NIRI_SOCKET",
    "PULSE_SERVER",
    "PULSE_COOKIE",
    "PIPEWIRE_REMOTE",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
)

#: The right to draw on, and to read the keys of, the user's display.  DISPLAY and WAYLAND_DISPLAY
#: pass: without the authority and the sockets they open nothing.
DISPLAY = (
    "XAUTHORITY",
    "ICEAUTHORITY",
    "WAYLAND_SOCKET",
)

ENVIRONMENT_WITHHOLD = (
    SECRET_WORDS + CLOUD + CI + REGISTRIES + VAULTS + AGENTS + BUSES + DISPLAY
)  # fmt: skip

# --- [environment] keep ---------------------------------------------------------------------

#: Names that the words above catch and that hold a number or a switch.
ENVIRONMENT_KEEP = (
    "TOKENIZERS_PARALLELISM",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "*MAX*TOKENS",  # a language model's budget
)

# --- scalars --------------------------------------------------------------------------------

NETWORK_MODE = "host"
#: Seconds: long enough that the next command of a working session finds the jail running.
LINGER = 60.0
USER_NAMESPACES = False
NOTICE = True
TERMINAL = "relay"
