"""The sandbox still refuses what is not deterministic: our own modules pass through it, and no others."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.converter import CompositePayloadConverter, WithSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import daper.workflows
from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.sandbox import SANDBOX
from daper.clock import new_id
from daper.core.messages import RepairRequest
from daper.workflows.labels import WORKFLOW_NAME
from tests.workflow.shop import HARRY

FOLDER = Path(daper.workflows.__file__).parent
MODULES = sorted(path for path in FOLDER.glob("*.py") if path.name != "__init__.py")
PASSED_THROUGH = ("daper.core", "daper.ports", "daper.activities", "daper.workflows")
FIRST_LINE = "        self._enter(Phase.INITIALIZING)\n"
# What a module that the sandbox does not look into must not touch, whoever imports it.
NOT_DETERMINISTIC = {"os", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid"}


@pytest.mark.parametrize(
    ("planted", "refused"),
    [
        ("import datetime; datetime.datetime.now()", "datetime.datetime.now"),
        ("import random; random.random()", "random.random"),
        ("import os; os.environ['HOME']", "os.environ"),
        ("import time; time.time()", "time.time"),
        ("import uuid; uuid.uuid4()", "uuid.uuid4"),
        ("open('/dev/null')", "__builtins__.open"),
    ],
)
async def test_what_is_not_deterministic_is_refused_in_the_workflow_of_a_repair(
    temporal_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str, refused: str
) -> None:
    """D9: the real workflow with one line more, which imports our modules as the real one does."""
    source = (FOLDER / "repair.py").read_text(encoding="utf-8")
    assert source.count(FIRST_LINE) == 1
    name = f"planted_{new_id().replace('-', '')}"
    planted_source = source.replace(FIRST_LINE, f"        {planted}\n{FIRST_LINE}")
    (tmp_path / f"{name}.py").write_text(planted_source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    workflow = __import__(name).RepairAgentWorkflow

    told = await _failure_of(temporal_env, workflow)

    assert f"Cannot access {refused}" in told


async def _failure_of(env: WorkflowEnvironment, workflow: type) -> str:
    """Why a run of this workflow fails, in the sandbox of a worker."""
    queue = f"sandbox-{new_id()}"
    request = RepairRequest(requested_by=HARRY, domain="orders", store_id="none", activity_queue=queue)
    async with Worker(
        env.client,
        task_queue=queue,
        workflows=[workflow],
        workflow_runner=SANDBOX,
        workflow_failure_exception_types=[Exception],  # else it would be tried again for ever
    ):
        with pytest.raises(WorkflowFailureError) as failed:
            await env.client.execute_workflow(WORKFLOW_NAME, request, id=f"planted-{new_id()}", task_queue=queue)
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.message


def test_nothing_treats_a_payload_by_what_it_belongs_to_or_stores_it_elsewhere() -> None:
    """So the sandbox need not be asked what that is."""
    converter = data_converter()
    assert converter.external_storage is None
    composite = converter.payload_converter_class()
    assert isinstance(composite, CompositePayloadConverter)
    for each in (converter.payload_codec, converter.failure_converter_class(), *composite.converters.values()):
        assert not isinstance(each, WithSerializationContext), each


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_only_our_own_deterministic_modules_pass_through_the_sandbox(path: Path) -> None:
    passed = [name for block in _passing(ast.parse(path.read_text("utf-8"))) for name in _imported(block)]
    assert not [name for name in passed if not _within(name, PASSED_THROUGH)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_of_the_workflows_reaches_nothing_that_is_not_deterministic(path: Path) -> None:
    """What passes through is not looked into, so the helper modules are looked at here."""
    assert not NOT_DETERMINISTIC & {name.partition(".")[0] for name in _imported(ast.parse(path.read_text("utf-8")))}


def test_the_workflow_passes_through_all_that_it_imports_of_ours() -> None:
    """Imported anew for each run, our models would be other classes than those that the worker decodes."""
    tree = ast.parse((FOLDER / "repair.py").read_text("utf-8"))
    passed = [name for block in _passing(tree) for name in _imported(block)]
    ours = [name for name in _imported(tree) if _within(name, ("daper",))]
    assert passed
    assert sorted(passed) == sorted(ours)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from daper.settings import load_settings", "daper.settings"),
        ("import daper.clock", "daper.clock"),
        ("import daper.corelike", "daper.corelike"),
    ],
)
def test_the_look_at_the_imports_can_fail(source: str, name: str) -> None:
    block = f"with workflow.unsafe.imports_passed_through():\n    {source}\n"
    [found] = [_imported(each) for each in _passing(ast.parse(block))]
    assert list(found) == [name]
    assert not _within(name, PASSED_THROUGH)


def _passing(tree: ast.AST) -> Iterator[ast.AST]:
    """The blocks whose imports the sandbox does not look into."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and "imports_passed_through" in ast.unparse(node.items[0]):
            yield node


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                # `from daper.workflows import options` imports a module, `from daper.core.models import Plan` a name.
                yield full if node.module == "daper.workflows" else str(node.module)


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
