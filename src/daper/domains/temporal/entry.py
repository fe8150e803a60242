"""How the domain is opened, and what may be set of it. Imports nothing of Temporal: every command reads the options."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daper.ports.entry import DomainOption, with_options

if TYPE_CHECKING:
    from daper.domains.temporal.domain import TemporalDomain


@with_options(
    DomainOption(
        name="query",
        help="Which workflows are looked at, as a list filter of Temporal; * for all. The domain is there only where "
        "this is set. Workflows of daper itself are never among them.",
    ),
    DomainOption(name="address", help="host:port of the cluster, where it is another one than TEMPORAL_ADDRESS."),
    DomainOption(name="namespace", help="Its namespace, where it is another one than TEMPORAL_NAMESPACE."),
    DomainOption(name="api_key", help="The API key for another cluster.", secret=True),
    DomainOption(name="profile", help="The profile of another cluster, in the SDK's configuration file."),
    DomainOption(name="config_file", help="That file, where it is another one than TEMPORAL_CONFIG_FILE."),
    DomainOption(name="tls", help="TLS to another cluster: true or false."),
    DomainOption(name="tls_server_name", help="The name in the certificate of another cluster."),
    DomainOption(name="tls_server_ca_cert_path", help="The file with whom to trust there."),
    DomainOption(name="tls_client_cert_path", help="The file with the certificate for another cluster."),
    DomainOption(name="tls_client_key_path", help="The file with its key."),
    DomainOption(
        name="calls_per_second", default="250", help="How often a process asks the cluster at most, in a second."
    ),
    DomainOption(
        name="retrying_attempts", default="10", help="An activity that was tried more often than that is a problem."
    ),
    DomainOption(name="retrying_after", default="1h", help="One that has been tried again for longer is, too."),
    DomainOption(name="paused_after", default="1d", help="An activity that was paused for longer is forgotten."),
    DomainOption(
        name="failed_within", default="7d", help="Failed and timed-out workflows count that ended within that time."
    ),
    DomainOption(
        name="failure_types",
        help="Of failed workflows only those whose failure has one of these types, separated by commas. Unset: all.",
    ),
    DomainOption(
        name="too_long",
        help="How long a workflow may run, by its type, as OrderWorkflow=2h, *=30d. Unset: as long as it likes.",
    ),
    DomainOption(
        name="signals",
        help="Which signals may be sent, with the limits of their arguments, as retry; approve(by=ops|sales, "
        "days=1..9) for too-long@OrderWorkflow; note{level=1..3}. In braces stand the fields of one JSON object. With "
        "for, it is proposed for that problem, and sent for no other.",
    ),
    DomainOption(
        name="fixes",
        help="Which tool is proposed for which problem, where it is another one than the usual, as "
        "too-long=cancel_workflow, task-failing@OrderWorkflow=reset_workflow.",
    ),
    DomainOption(
        name="hide",
        help="Fields of a workflow's input that are never shown, by their names, separated by commas.",
    ),
    DomainOption(
        name="database_url",
        help="The database of what was done, where it is another one than DAPER_DATABASE_URL. Neither: a file.",
        secret=True,
    ),
    needs="query",
)
def open_domain(folder: Path, options: Mapping[str, str]) -> "TemporalDomain":
    """The workflows of a cluster, which is reached when it is first needed. Raises SettingError for a wrong option."""
    from daper.domains.temporal.domain import TemporalDomain  # Temporal's client, which other commands need not load
    from daper.domains.temporal.options import options_of

    return TemporalDomain(folder, options_of(options))
