"""Reports taken by what everybody would write first: FastAPI, Pydantic, aiokafka with acks=all and idempotence.

No access, no limits, no idempotency keys, no envelope, no tracking code that can be checked, no metrics; a 202 once
Kafka has it. Arguments: bootstrap, topic, port.
"""

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel, Field


class Report(BaseModel):
    """What a citizen sends."""

    description: str = Field(min_length=1, max_length=4000)
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)


class Receipt(BaseModel):
    """What is answered."""

    report_id: str
    tracking_code: str
    submitted_at: datetime


def app(bootstrap: str, topic: str) -> FastAPI:
    """The service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        app.state.producer = producer
        yield
        await producer.stop()

    bare = FastAPI(lifespan=lifespan)

    @bare.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ok"}

    @bare.post("/api/v1/reports", status_code=202)
    async def take(report: Report) -> Receipt:
        number = uuid.uuid4().hex
        await bare.state.producer.send_and_wait(topic, report.model_dump_json().encode(), number.encode())
        return Receipt(report_id=number, tracking_code=number[:12], submitted_at=datetime.now(UTC))

    return bare


if __name__ == "__main__":
    uvicorn.run(app(sys.argv[1], sys.argv[2]), port=int(sys.argv[3]), log_level="warning", access_log=False)
