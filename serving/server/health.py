"""The standard gRPC health service."""

from __future__ import annotations

from typing import Any

from grpc_health.v1 import health, health_pb2, health_pb2_grpc


async def add_health(server: Any) -> Any:
    """Adds grpc.health.v1.Health to a grpc.aio server; it says SERVING for the server as a whole.

    Returns:
        The servicer, whose `enter_graceful_shutdown` tells the clients that watch it.
    """
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    return servicer
