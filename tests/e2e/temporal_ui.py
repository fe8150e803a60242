"""A person at the Temporal UI: what its page asks of its server, with the same cookie and token."""

import base64
import json
import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import Any

from tests.e2e.shell import until


class TemporalUi:
    """The UI at an address, for one run that a link of ours leads to."""

    def __init__(self, link: str) -> None:
        base, _, path = link.partition("/namespaces/")
        self._cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))
        self._run = f"{base}/api/v1/namespaces/{path}"
        self.page = self._opener.open(link, timeout=10).read().decode()
        self._opener.open(f"{base}/api/v1/settings", timeout=10).close()  # gives the cookie
        # The UI dials its server once before that one listens, and again a second later; a page is then loaded anew.
        until(lambda: self._answers(f"{base}/api/v1/cluster-info"), what="a UI that reaches its server")

    def _answers(self, url: str) -> bool:
        try:
            self._opener.open(url, timeout=10).close()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return False
        return True

    def current_details(self) -> str:
        """What the tab "User Metadata" shows."""
        name = "__temporal_workflow_metadata"
        answer = self._post(f"query/{name}", {"query": {"queryType": name}})
        return json.loads(_unpacked(answer["queryResult"]["payloads"][0]))["currentDetails"]

    # Any: whatever JSON the server answers.
    def send_update(self, name: str, text: str) -> Any:
        """What "Send an Update" does with the text that was pasted; the outcome."""
        payload = {"metadata": {"encoding": _packed("json/plain")}, "data": _packed(text)}
        request = {
            "request": {"meta": {"identity": "ui"}, "input": {"name": name, "args": {"payloads": [payload]}}},
            "waitPolicy": {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"},
        }
        return self._post(f"update/{name}", request)["outcome"]

    def _post(self, what: str, body: object) -> Any:
        token = next(cookie.value for cookie in self._cookies if cookie.name == "_csrf")
        headers = {"Content-Type": "application/json", "X-CSRF-TOKEN": str(token)}
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self._run}/{what}", data=json.dumps(body).encode(), headers=headers, method="POST"
        )
        with self._opener.open(request, timeout=10) as answer:
            return json.load(answer)


def to_paste(details: str) -> str:
    """The JSON that the current details show."""
    found = re.search(r"```json\n(.*)\n```", details, re.DOTALL)
    assert found is not None, details
    return found.group(1)


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unpacked(payload: dict[str, str]) -> str:
    return base64.b64decode(payload["data"]).decode()
