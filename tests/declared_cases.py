"""Cases for the payments of `declared_shop`: what a file may say of rows that it makes up."""

from typing import Final

CASES: Final = """
[[case]]
name  = "a timeout is tried again"
row   = { id = 7, status = "failed", failure_code = "timeout", order_status = "open", amount = 12.5 }
finds = ["passing-failure"]
fix   = "retry_payment"

[[case]]
name  = "a payment that is made is nobody's problem"
row   = { id = 8, status = "paid", amount = "3.00" }
finds = []
fix   = ""

[[case]]
row   = { id = 9, status = "processing", failed_at = 2026-11-20T10:00:00Z }
now   = 2026-11-21T11:00:00Z
finds = ["hanging"]

[[case]]
name  = "nobody knows since when"
row   = { id = 9, status = "processing" }
finds = ["cannot-be-judged"]
"""
