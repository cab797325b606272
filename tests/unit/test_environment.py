"""Which variables pass into the jail."""

import pytest

from venvjail.config import defaults
from venvjail.config.environment import Decision, EnvironmentRules
from venvjail.config.model import DEFAULT, Assignment, Environment, Item


def rules(
    *,
    withhold: tuple[str, ...] = defaults.ENVIRONMENT_WITHHOLD,
    keep: tuple[str, ...] = defaults.ENVIRONMENT_KEEP,
    only: tuple[str, ...] | None = None,
    assign: dict[str, str] | None = None,
) -> EnvironmentRules:
    def items(values: tuple[str, ...]) -> tuple[Item, ...]:
        return tuple(Item(value, DEFAULT) for value in values)

    return EnvironmentRules(
        Environment(
            withhold=items(withhold),
            keep=items(keep),
            only=None if only is None else items(only),
            set=tuple(Assignment(name, value, DEFAULT) for name, value in (assign or {}).items()),
        )
    )


SECRETS = """
    GITHUB_TOKEN GH_TOKEN HF_TOKEN NPM_TOKEN CARGO_REGISTRY_TOKEN SYSTEM_ACCESSTOKEN
    SLACK_BOT_TOKEN OPENAI_API_KEY ANTHROPIC_API_KEY DJANGO_SECRET_KEY AWS_SECRET_ACCESS_KEY
    AWS_ACCESS_KEY_ID AWS_PROFILE AWS_SESSION_TOKEN AZURE_CLIENT_SECRET ARM_CLIENT_ID
    GOOGLE_APPLICATION_CREDENTIALS VAULT_ADDR KUBECONFIG DOCKER_HOST DOCKER_AUTH_CONFIG
    TWINE_USERNAME TWINE_PASSWORD UV_PUBLISH_TOKEN UV_INDEX_PRIVATE_PASSWORD
    POETRY_PYPI_TOKEN_PYPI POETRY_HTTP_BASIC_CORP_USERNAME HATCH_INDEX_AUTH FLIT_PASSWORD
    MATURIN_PYPI_TOKEN PGPASSWORD MYSQL_PWD DB_PASS BORG_PASSPHRASE AZURE_DEVOPS_EXT_PAT
    npm_config__auth NPM_CONFIG__AUTHTOKEN npm_config_//registry.npmjs.org/:_authToken
    COMPOSER_AUTH CI_JOB_TOKEN CI_JOB_JWT_V2 CI_REPOSITORY_URL ACTIONS_ID_TOKEN_REQUEST_URL
    SLACK_WEBHOOK_URL SSH_PRIVATE_KEY_PEM WALLET_MNEMONIC BW_SESSION OP_SESSION_my SSH_AUTH_SOCK
    SSH_AGENT_PID GPG_AGENT_INFO DBUS_SESSION_BUS_ADDRESS XAUTHORITY GNOME_KEYRING_CONTROL
    VSCODE_GIT_IPC_HANDLE GIT_ASKPASS NVIM SWAYSOCK NOTIFY_SOCKET
""".split()  # noqa: SIM905  sixty names read better as text than as sixty strings

ORDINARY = """
    HOME PATH USER LOGNAME SHELL TERM COLORTERM LANG LC_ALL TZ PWD OLDPWD SHLVL EDITOR PAGER
    LESS LS_COLORS PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CERT PIP_CLIENT_CERT
    PIP_KEYRING_PROVIDER PIP_CONFIG_FILE PIP_REQUIRE_VIRTUALENV UV_INDEX_URL UV_DEFAULT_INDEX
    UV_KEYRING_PROVIDER UV_PYTHON SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    NODE_EXTRA_CA_CERTS http_proxy HTTPS_PROXY NO_PROXY PYTHONPATH PYTHONDONTWRITEBYTECODE
    VIRTUAL_ENV CONDA_PREFIX TOKENIZERS_PARALLELISM CLAUDE_CODE_MAX_OUTPUT_TOKENS
    MAX_THINKING_TOKENS GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_CONFIG_KEY_0 XKB_DEFAULT_LAYOUT
    KEYMAP LESSKEYIN DESKTOP_SESSION XDG_SESSION_TYPE XDG_RUNTIME_DIR DISPLAY WAYLAND_DISPLAY
    TMUX STY DATABASE_URL CC CFLAGS ARM_TOOLCHAIN LD_LIBRARY_PATH CUDA_VISIBLE_DEVICES
    OMP_NUM_THREADS CI GITHUB_ACTIONS BASH_FUNC_module%% PASS COMPASS_MODE AUTHOR MONKEY
""".split()  # noqa: SIM905  sixty names read better as text than as sixty strings


@pytest.mark.parametrize("name", SECRETS)
def test_withheld_by_default(name: str) -> None:
    assert rules().decide([name]) == Decision((name,), {})
    assert rules(withhold=()).decide([name]) == Decision((), {}), "control"


@pytest.mark.parametrize("name", ORDINARY)
def test_passed_by_default(name: str) -> None:
    assert rules().decide([name]).withheld == ()


def test_case_is_ignored() -> None:
    assert rules(withhold=("*Token*",), keep=("my_*",)).decide(
        ["token", "A_TOKEN", "MY_TOKEN"]
    ).withheld == ("token", "A_TOKEN")


def test_keep_wins_over_withhold() -> None:
    assert rules(keep=("GITHUB_TOKEN",)).decide(["GITHUB_TOKEN", "GH_TOKEN"]).withheld == (
        "GH_TOKEN",
    )


def test_set_wins_over_all() -> None:
    decision = rules(only=(), assign={"GH_TOKEN": "none", "NEW": ""}).decide(["GH_TOKEN", "A"])
    assert decision == Decision(("A",), {"GH_TOKEN": "none", "NEW": ""})


def test_only_is_an_allow_list() -> None:
    names = ["PATH", "LC_TIME", "EDITOR", "MY_TOKEN", "KEPT_TOKEN"]
    decision = rules(only=("path", "LC_*", "MY_TOKEN"), keep=("KEPT_*",)).decide(names)
    assert decision.withheld == ("EDITOR", "MY_TOKEN"), "a secret needs keep"


def test_an_empty_only_lets_nothing_pass() -> None:
    assert rules(only=(), keep=()).decide(["PATH", "HOME"]).withheld == ("PATH", "HOME")


def test_without_patterns_everything_passes() -> None:
    assert rules(withhold=(), keep=()).decide(["", "A_TOKEN"]).withheld == ()


def test_patterns_match_whole_names_and_odd_ones() -> None:
    matched = rules(withhold=("A?", "[xy]z"), keep=()).decide(
        ["AB", "ABC", "BAB", "xz", "bz", "A\n", "A\udce9"]
    )
    assert matched.withheld == ("AB", "xz", "A\n", "A\udce9")


def test_a_name_that_is_there_twice_is_withheld_once() -> None:
    assert rules().decide(["A_TOKEN", "A_TOKEN"]).withheld == ("A_TOKEN",)


def test_a_decision_is_the_callers_to_change() -> None:
    decided = rules(assign={"A": "1"})
    decided.decide([]).assign["B"] = "2"
    assert decided.decide([]).assign == {"A": "1"}
