"""The table of what may be configured, but for the options of domains; docs and `daper doctor` are made from both."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daper.core.policy import APPROVAL_TIMEOUT, DECISION_VALID_FOR
from daper.core.spans import written_span

DEFAULT: Final = "default"


class ChatApproval(StrEnum):
    """How a decision in a chat is confirmed."""

    ELICIT = "elicit"
    CLIENT = "client"


@dataclass(frozen=True)
class Setting:
    """One variable: what it is called, what counts without it, what it does.

    `secret`: never shown. `address`: shown without what is secret in it, also where no `http://` says what it is.
    """

    name: str
    default: str
    help: str
    secret: bool = False
    address: bool = False


# A name that ends in `*` stands for all that begin so.
SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("USER_NAME", "the operating system's user", "Your name, in repair ids and beside your decisions."),
    Setting("DAPER_HOME", "~/.daper", "Folder for data, reports and logs."),
    Setting(
        "DAPER_DATABASE_URL",
        "",
        "The PostgreSQL database that records and daper's own state are in, for several machines: "
        "postgresql://user:password@host:5432/name. Without it, files in DAPER_HOME.",
        address=True,
    ),
    Setting(
        "DAPER_DOMAINS",
        "",
        "Files, or folders of files, that declare domains (TOML), beside those in the folder domains of DAPER_HOME.",
    ),
    Setting("DAPER_DOMAIN", "orders", "The domain of records that commands work on."),
    Setting(
        "DAPER_POLICY",
        "policy.toml in DAPER_HOME, if it is there",
        "File with the approval policy (TOML): what may run without a person's yes.",
    ),
    Setting(
        "DAPER_APPROVAL_TIMEOUT",
        written_span(APPROVAL_TIMEOUT),
        "How long a plan waits for a decision: 30s, 15m, 12h or 2d.",
    ),
    Setting(
        "DAPER_DECISION_VALID_FOR",
        written_span(DECISION_VALID_FOR),
        "How long after its decision an action may still begin.",
    ),
    Setting(
        "DAPER_REPORTS_WINDOW",
        "10s",
        "How long what is reported is gathered, from the first report of a repair, before that begins; at most 1h.",
    ),
    Setting(
        "DAPER_REPORTS_OPEN",
        "20",
        "How many repairs of what is reported to you may be open, from 1 to 100; what is over it waits.",
    ),
    Setting(
        "DAPER_PEOPLE",
        "people.toml in DAPER_HOME",
        "The file that names who may be told of repairs, and how; see docs/people.md.",
    ),
    Setting("DAPER_TELL", "", "Who is told of each repair that you start: names of that file, separated by commas."),
    Setting(
        "DAPER_MCP_APPROVAL",
        "elicit",
        "How a decision in a chat is confirmed: elicit, in a form that the client shows; or client, where the client "
        "is trusted to have asked, and the decision is recorded as unconfirmed.",
    ),
    Setting(
        "DAPER_ASK_AGAIN_ACTIONS",
        "10",
        "Above how many actions an approval at a terminal is asked for once more, with what it comes to.",
    ),
    Setting(
        "DAPER_ASK_AGAIN_AMOUNT",
        "1000",
        "Above what amount it is; also where nobody can say what is spent.",
    ),
    Setting(
        "DAPER_PAGER",
        "PAGER, or less",
        "What long plans are shown with at a terminal; off: nothing. Read from the environment alone, never from .env.",
    ),
    Setting(
        "DAPER_CONSOLE_URL",
        "",
        "By which URL people come to the console, like https://daper.example.org: messages link to it.",
        address=True,
    ),
    Setting(
        "DAPER_OIDC_ISSUER",
        "",
        "The OpenID provider by which people sign in to the console, like https://login.example.org.",
        address=True,
    ),
    Setting("DAPER_OIDC_CLIENT_ID", "", "As what the console is known to the provider."),
    Setting("DAPER_OIDC_CLIENT_SECRET", "", "The secret of that client.", secret=True),
    Setting(
        "DAPER_OIDC_NAME_CLAIM",
        "email",
        "The claim with a person's name, which nobody may be able to choose; email counts once it is verified.",
    ),
    Setting(
        "DAPER_OIDC_SCOPES_CLAIM",
        "daper",
        "The claim with what a person may do: read, start, approve, tell, as a list or in one text; daper:read is "
        "read.",
    ),
    Setting(
        "LLM_MODEL",
        "rules",
        "The language model that analyzes, plans and reports: openai/gpt-4o, anthropic/NAME, gemini/NAME, ollama/NAME, "
        "or a name of pydantic-ai. rules: none.",
    ),
    Setting("LLM_KEY", "", "The key of the language model.", secret=True),
    Setting(
        "LLM_BASE_URL",
        "",
        "Where a server that speaks as OpenAI does is, like http://localhost:8080/v1.",
        address=True,
    ),
    Setting("DAPER_DETECT_MODEL", "rules", "Another model for detection, beside the rules; rules: the rules alone."),
    Setting("DAPER_ANALYZE_MODEL", "as LLM_MODEL", "Another model for analysis; rules: the rules alone."),
    Setting("DAPER_PLAN_MODEL", "as LLM_MODEL", "Another model for planning; rules: the rules alone."),
    Setting("DAPER_REPORT_MODEL", "as LLM_MODEL", "Another model for the words of the report; rules: the rules alone."),
    Setting(
        "DAPER_ON_OUTAGE",
        "fail",
        "What a repair does when a model cannot be had, after all tries: fail, or go on by rules alone.",
    ),
    Setting("DAPER_MAX_TOKENS_PER_CYCLE", "1000000", "Tokens that models may take for one repair."),
    Setting("DAPER_MAX_COST_PER_CYCLE", "5", "US dollars that models may cost for one repair, where prices are known."),
    Setting("DAPER_LLM_OUTPUT", "auto", "How models are made to answer in form: auto, native, tool or prompted."),
    Setting("DAPER_LLM_TIMEOUT", "5m", "How long one answer of a model may take."),
    Setting("DAPER_LLM_MAX_OUTPUT", "4096", "Tokens that one answer of a model may have."),
    Setting("DAPER_LLM_BATCH_TOKENS", "4000", "About how many tokens of records go into one prompt."),
    Setting(
        "DAPER_LLM_PER_MINUTE",
        "",
        "How many calls of models begin in a minute, of all workers of a store together; unset: any number.",
    ),
    Setting(
        "DAPER_LLM_AT_ONCE", "100", "How many calls of models a worker waits for at the same time, from 1 to 1000."
    ),
    Setting(
        "DAPER_WORKER_ADDRESS",
        "127.0.0.1:0",
        "Where a worker serves /health, /ready and /metrics, host:port; port 0: any free one, which is printed. off: "
        "nowhere.",
    ),
    Setting(
        "DAPER_WORKER_AT_ONCE",
        "100",
        "How many steps of repairs a worker does at the same time for a store, from 1 to 1000.",
    ),
    Setting("TEMPORAL_TASK_QUEUE", "agent-repair-task-queue", "The task queue that workers and commands share."),
    Setting("TEMPORAL_ADDRESS", "localhost:7233", "Temporal's address, host:port."),
    Setting("TEMPORAL_NAMESPACE", "default", "The Temporal namespace."),
    Setting("TEMPORAL_API_KEY", "", "API key for Temporal; turns TLS on.", secret=True),
    Setting("TEMPORAL_PROFILE", "default", "The profile to take from Temporal's configuration file."),
    Setting("TEMPORAL_CONFIG_FILE", "the official one", "Temporal's configuration file (TOML)."),
    Setting("TEMPORAL_TLS", "", "true or false: TLS, whatever else is set."),
    Setting("TEMPORAL_TLS_SERVER_NAME", "", "The name that the server's certificate must carry."),
    Setting("TEMPORAL_TLS_CLIENT_CERT_PATH", "", "File with the client certificate (PEM)."),
    Setting("TEMPORAL_TLS_CLIENT_CERT_DATA", "", "The client certificate itself (PEM).", secret=True),
    Setting("TEMPORAL_TLS_CLIENT_KEY_PATH", "", "File with the client's private key (PEM)."),
    Setting("TEMPORAL_TLS_CLIENT_KEY_DATA", "", "The client's private key itself (PEM).", secret=True),
    Setting("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "", "File with the server's CA certificate (PEM)."),
    Setting("TEMPORAL_TLS_SERVER_CA_CERT_DATA", "", "The server's CA certificate itself (PEM).", secret=True),
    Setting("TEMPORAL_TLS_CERT", "", "Another name for TEMPORAL_TLS_CLIENT_CERT_PATH."),
    Setting("TEMPORAL_TLS_KEY", "", "Another name for TEMPORAL_TLS_CLIENT_KEY_PATH."),
    Setting("TEMPORAL_GRPC_META_*", "", "Headers for each call: TEMPORAL_GRPC_META_X_TENANT is x-tenant.", secret=True),
)
BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
