"""Holds every answer that a test gets against the OpenAPI document: the status is announced, the body fits."""

import re
from typing import Any, Final

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator

_PATH_PARAMETER: Final = re.compile(r"\\{\w+\\}")


class Document:
    """The app's OpenAPI document."""

    def __init__(self, app: FastAPI) -> None:
        self._document = app.openapi()
        self._operations = [
            (method.upper(), re.compile(_PATH_PARAMETER.sub("[^/]+", re.escape(path))), operation)
            for path, methods in self._document["paths"].items()
            for method, operation in methods.items()
        ]
        self._validators: dict[str, Draft202012Validator] = {}

    async def holds(self, answer: httpx.Response) -> None:
        """Fails when an operation answers what it does not announce."""
        path = answer.request.url.path
        operation = next(
            (
                found
                for method, regex, found in self._operations
                if method == answer.request.method and regex.fullmatch(path)
            ),
            None,
        )
        if operation is None or answer.status_code == 431:
            return
        announced = operation["responses"].get(str(answer.status_code))
        assert announced is not None, f"{answer.request.method} {path} does not announce {answer.status_code}"
        media = answer.headers.get("content-type", "").partition(";")[0]
        if "content" not in announced or not media.endswith("json"):
            return
        assert media in announced["content"], f"{answer.request.method} {path} does not announce {media}"
        await answer.aread()
        self._validator(announced["content"][media]["schema"]).validate(answer.json())

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        key = str(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._document["components"]}
            self._validators[key] = Draft202012Validator(whole)
        return self._validators[key]
