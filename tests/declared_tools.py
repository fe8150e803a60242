"""Tools of the web shop's file that ask a processor over HTTP, or run statements of its own."""

from tests.declared_shop import FILE

TOKEN = "tok-Alohomora-93f1"  # noqa: S105 - planted, and looked for
_TOOLS = FILE.index("[[tool]]")
HTTP_TOOL = """\
[[tool]]
name   = "retry_payment"
does   = "Asks the processor to take the payment again."
risk   = "low"
only   = "r.attempts < 4"
spends = "amount"
args.reason = { sentence = 200, default = "a passing failure" }
HELPED

[tool.http]
url     = "URL/payments/{id}/retry?order={order_id}"
headers = { X-Shop = "hogwarts" }
body    = { amount = "{amount}", attempts = "{attempts}", note = "Order {order_id}: {reason}", fixed = [1, 2.5, true] }
secret  = { header = "Authorization", value = "env:PROCESSOR_TOKEN", prefix = "Bearer " }
timeout = "1s"
KEY
"""
SETTLE = """
[tool.http.settle]
url      = "URL/requests/{key}"
happened = "status == 200 && a.state == 'done'"
never    = "status == 404"
"""
CLOSE_TOOL = """
[[tool]]
name  = "close_payment"
does  = "Notes why a payment is closed, and closes it."
risk  = "low"
only  = "r.status == 'failed'"
args.reason = { sentence = 200, default = "order cancelled" }
helped = "r.status == 'closed: done'"

[tool.sql]
run     = "UPDATE payments SET status = 'closed: done', note = :reason WHERE id = :id AND status = 'failed'"
preview = "SELECT id, 'status' AS what, status AS before, 'closed: done' AS after FROM payments WHERE status = 'failed'"
undo    = "UPDATE payments SET status = 'failed', note = NULL WHERE id = :id AND status = 'closed: done'"
"""


def http_file(url: str, *, key_header: bool = True, settle: bool = True, helped: bool = False) -> str:
    """The file with a tool that asks the processor there."""
    tool = HTTP_TOOL.replace("KEY\n", 'key_header = "Idempotency-Key"\n' if key_header else "")
    if not key_header:
        tool = tool.replace("?order={order_id}", "?order={order_id}&request={key}")
    tool = tool.replace("HELPED\n", "helped = \"r.status == 'queued'\"\n" if helped or not settle else "")
    return FILE[:_TOOLS] + (tool + (SETTLE if settle else "") + CLOSE_TOOL).replace("URL", url)


def with_tool(text: str, *, fix: str = "close_payment") -> str:
    """The file with this as the one tool of its rules."""
    rules = FILE[:_TOOLS].replace('fix   = "retry_payment"\n', f'fix   = "{fix}"\n')
    return rules.replace('fix   = "close_payment"\n', f'fix   = "{fix}"\n') + text
