"""What the auth service asks of the account service, in its own words."""

from datetime import timedelta
from uuid import UUID

from cas.account.v1 import account_pb2
from cas.account.v1.account_pb2_grpc import AccountServiceStub

from cas_kit.rpc import RpcClient, RpcTls

TIMEOUT = timedelta(seconds=5)  # nobody waits


class AccountClient:
    """The account service.

    :param target: `host:port` of its gRPC server.
    """

    def __init__(self, target: str, *, tls: RpcTls | None = None) -> None:
        self._rpc = RpcClient(
            target, service="cas.account.v1.AccountService", safe_methods=["BeginErasure"], tls=tls
        )
        self._stub = AccountServiceStub(self._rpc.channel)

    def begin_erasure(self, user_id: UUID) -> None:
        """Have the user forgotten everywhere. Safe to repeat.

        :raises Unavailable: it did not answer in time.
        """
        request = account_pb2.BeginErasureRequest(user_id=str(user_id))
        self._rpc.call(self._stub.BeginErasure, request, timeout=TIMEOUT)

    def close(self) -> None:
        """Close the channel."""
        self._rpc.close()
