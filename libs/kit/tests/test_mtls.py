"""With certificates set, services speak only to those who have one of the same authority."""

from dataclasses import asdict
from datetime import timedelta

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from cas_kit.errors import Unavailable
from cas_kit.rpc import RpcClient, RpcServer, RpcTls
from cas_kit.settings import ServiceSettings
from cas_kit.testing.certificates import Authority

SERVICE = "notes.v1.NoteService"
QUICK = timedelta(milliseconds=700)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """An authority of the same name that is not ours."""
    return Authority(tmp_path_factory.mktemp("theirs"))


@pytest.fixture
def tls_of(make_settings):
    def read(files):
        return RpcTls.of(make_settings(ServiceSettings, service="kit", **asdict(files)))

    return read


@pytest.fixture
def serve():
    """Start a server that echoes; its address."""
    running = []

    def register(server):
        echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Echo": echo})])

    def start(tls):
        running.append(RpcServer(register, tls=tls))
        return f"127.0.0.1:{running[-1].start(host='127.0.0.1', port=0)}"

    yield start
    for server in running:
        server.stop(timedelta(0))


@pytest.fixture
def call():
    """Ask for an echo; what came back."""
    opened = []

    def ask(target, tls, *, timeout=QUICK):
        client = RpcClient(target, service=SERVICE, tls=tls)
        opened.append(client)
        return client.call(client.channel.unary_unary(f"/{SERVICE}/Echo"), b"hello", timeout=timeout)

    yield ask
    for client in opened:
        client.close()


class TestWithCertificates:
    @pytest.fixture
    def target(self, serve, tls_of, authority):
        return serve(tls_of(authority.issue("server")))

    def test_services_of_one_authority_understand_each_other(self, target, call, tls_of, authority):
        tls = tls_of(authority.issue("client"))
        assert call(target, tls, timeout=timedelta(seconds=20)) == b"hello"

    def test_nobody_is_answered_in_plain_text(self, target, call):
        with pytest.raises(Unavailable):
            call(target, None)

    def test_nobody_is_answered_without_a_certificate(self, target, authority):
        credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
        with grpc.secure_channel(target, credentials) as channel, pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(f"/{SERVICE}/Echo")(b"", timeout=QUICK.total_seconds())
        assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE

    def test_nobody_is_answered_with_a_certificate_of_another_authority(
        self, target, call, tls_of, authority, stranger
    ):
        foreign = tls_of(stranger.issue("client"))
        ours = RpcTls(foreign.certificate, foreign.key, authority.file.read_bytes())
        with pytest.raises(Unavailable):
            call(target, ours)

    def test_nobody_is_answered_with_an_expired_certificate(self, target, call, tls_of, authority):
        with pytest.raises(Unavailable):
            call(target, tls_of(authority.issue("expired", lifetime=timedelta(minutes=-1))))

    def test_a_server_of_another_authority_is_told_nothing(self, serve, call, tls_of, authority, stranger):
        target = serve(tls_of(stranger.issue("server")))
        with pytest.raises(Unavailable):
            call(target, tls_of(authority.issue("client")))

    def test_a_server_with_a_certificate_for_another_address_is_told_nothing(
        self, serve, call, tls_of, authority
    ):
        target = serve(tls_of(authority.issue("elsewhere", address="192.0.2.1")))
        with pytest.raises(Unavailable):
            call(target, tls_of(authority.issue("client")))

    def test_a_server_in_plain_text_is_told_nothing(self, serve, call, tls_of, authority):
        with pytest.raises(Unavailable):
            call(serve(None), tls_of(authority.issue("client")))


class TestSettings:
    @pytest.fixture
    def files(self, authority):
        return asdict(authority.issue("service"))

    @pytest.fixture
    def refusal(self, make_settings):
        """Why settings are refused."""

        def of(files):
            with pytest.raises(ValidationError) as refused:
                make_settings(ServiceSettings, service="kit", **files)
            return str(refused.value)

        return of

    def test_ask_for_plain_text_by_default(self, make_settings):
        assert RpcTls.of(make_settings(ServiceSettings, service="kit")) is None

    def test_do_not_show_the_key(self, tls_of, authority):
        tls = tls_of(authority.issue("service"))
        assert "PRIVATE" not in repr(tls)

    @pytest.mark.parametrize("name", ["rpc_certificate_file", "rpc_key_file", "rpc_ca_file"])
    def test_want_all_files_or_none(self, refusal, files, name):
        assert f"{name} missing" in refusal(files | {name: None})

    @pytest.mark.parametrize("name", ["rpc_certificate_file", "rpc_key_file", "rpc_ca_file"])
    def test_name_a_file_that_is_not_there(self, refusal, files, name, tmp_path):
        assert f"{name}: there is no file" in refusal(files | {name: tmp_path / "nothing.pem"})

    @pytest.mark.parametrize("name", ["rpc_certificate_file", "rpc_key_file", "rpc_ca_file"])
    def test_name_a_file_that_holds_something_else(self, refusal, files, name, tmp_path):
        (tmp_path / "other.pem").write_text("no certificate")
        assert name in refusal(files | {name: tmp_path / "other.pem"})

    def test_refuse_the_key_of_another_certificate(self, refusal, files, authority):
        other = authority.issue("another").rpc_key_file
        assert "rpc_key_file" in refusal(files | {"rpc_key_file": other})

    def test_refuse_an_encrypted_key(self, refusal, files, tmp_path):
        key = load_pem_private_key(files["rpc_key_file"].read_bytes(), password=None)
        encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
        (tmp_path / "key.pem").write_bytes(encrypted)
        assert "unencrypted" in refusal(files | {"rpc_key_file": tmp_path / "key.pem"})
