"""What the listings service asks of others, in its own words."""

from datetime import timedelta
from uuid import UUID

import grpc
from cas.account.v1 import account_pb2
from cas.account.v1.account_pb2_grpc import AccountServiceStub

from cas_kit.rpc import RemoteRefusal, RpcClient, RpcTls
from cas_listings.domain.owner import Owner
from cas_listings.domain.roles import find_role

# Somebody who makes a listing waits for it, and gets one without a name when it takes longer.
OWNER_TIMEOUT = timedelta(seconds=1)


class AccountClient:
    """The account service.

    :param target: `host:port` of its gRPC server.
    """

    def __init__(self, target: str, *, tls: RpcTls | None = None) -> None:
        self._rpc = RpcClient(
            target, service="cas.account.v1.AccountService", safe_methods=["GetProfile"], tls=tls
        )
        self._stub = AccountServiceStub(self._rpc.channel)

    def find_owner(self, user_id: UUID) -> Owner | None:
        """What may be shown of somebody, and the roles they hold; None when account does not know them.

        :raises Unavailable: it did not answer in time.
        """
        request = account_pb2.GetProfileRequest(user_id=str(user_id))
        try:
            answer = self._rpc.call(self._stub.GetProfile, request, timeout=OWNER_TIMEOUT)
        except RemoteRefusal as refusal:
            if refusal.status is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return _owner(user_id, answer.profile)

    def close(self) -> None:
        """Close the channel."""
        self._rpc.close()


def _owner(user_id: UUID, profile: account_pb2.Profile) -> Owner:
    roles = tuple(role for name in profile.roles if (role := find_role(name)))
    return Owner(
        user_id=user_id,
        display_name=profile.display_name,
        avatar_url=profile.avatar_url or None,
        roles=roles,
        active_role=find_role(profile.active_role),
        version=profile.version,
    )
