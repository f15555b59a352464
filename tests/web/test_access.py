"""Who may look: passwords, tokens, sessions, other sites, other names."""

import asyncio
import logging

import pytest
from starlette.requests import Request

from edge.cli import main
from edge.core.records import Event
from edge.web import api, passwords
from edge.web.access import FREE, Access, Throttle, key_in

SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def kept():
    return passwords.hashed(SECRET)


def test_a_hash_knows_its_password_and_no_other(kept):
    assert passwords.verify(SECRET, kept)
    assert not passwords.verify(SECRET + " ", kept)
    assert SECRET not in kept
    assert kept != passwords.hashed(SECRET), "each has a salt of its own"


@pytest.mark.parametrize("line", ["", "scrypt", "plain text", "scrypt:16384:8:1:!!:??", "scrypt:3:8:1:AAAA:AAAA"])
def test_what_is_no_hash_admits_nobody(line):
    assert not passwords.verify("", line)
    assert not passwords.verify(SECRET, line)


def test_each_wrong_attempt_doubles_the_wait():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    waits = []
    for _ in range(FREE + 12):
        throttle.failed("192.0.2.1")
        waits.append(throttle.wait("192.0.2.1"))
    assert waits == [0] * (FREE - 1) + [min(2.0**n, 300) for n in range(13)]
    assert throttle.wait("192.0.2.2") == 0
    now[0] += 300
    assert throttle.wait("192.0.2.1") == 0
    throttle.failed("192.0.2.1")
    assert throttle.wait("192.0.2.1") == 300


def test_a_host_with_many_addresses_waits_for_all_of_them():
    throttle = Throttle(lambda: 0.0)
    for i in range(FREE):
        throttle.failed(f"2001:db8::{i}")
    assert throttle.wait("2001:db8::ffff") > 0
    assert throttle.wait("2001:db8:0:1::1") == 0


def test_ten_thousand_addresses_take_no_memory():
    throttle = Throttle(lambda: 0.0)
    for i in range(10_000):
        throttle.failed(f"10.0.{i // 256}.{i % 256}")
    assert len(throttle._failed) <= 512


def test_the_key_of_the_sessions_is_kept_and_private(tmp_path):
    key = key_in(tmp_path)
    assert len(key) == 32
    assert key_in(tmp_path) == key
    assert (tmp_path / "page.key").stat().st_mode & 0o777 == 0o600


def test_without_a_password_all_is_open_and_with_one_nothing_but_the_door(stand, kept):
    stand_open = stand()
    assert stand_open.client.get("/api/status").status_code == 200
    closed = stand(password=kept)
    for path in (
        "/api/status",
        "/api/frame.jpg",
        "/api/log",
        "/metrics",
        "/api/settings",
        "/api/openapi.json",
        "/nope",
    ):
        assert closed.client.get(path).status_code == 401, path
    for path in ("/healthz", "/login", "/static/icon.svg"):
        assert closed.client.get(path).status_code in (200, 503), path
    page = closed.client.get("/", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login")


def test_the_sign_can_be_public_and_nothing_else_is(stand, kept):
    closed = stand(password=kept, overrides=["web.sign_public=true"])
    assert closed.client.get("/api/sign").status_code == 200
    assert closed.client.get("/sign").status_code == 200
    assert closed.client.get("/api/status").status_code == 401


def test_logging_in_opens_a_session_that_survives_a_restart_but_no_new_password(stand, kept):
    first = stand(password=kept)
    assert first.client.post("/api/login", json={"password": "wrong"}).status_code == 401
    answer = first.client.post("/api/login", json={"password": SECRET})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert first.client.get("/api/status").status_code == 200
    again = stand(password=kept)
    again.client.cookies = first.client.cookies
    assert again.client.get("/api/status").status_code == 200
    again.access.password = passwords.hashed("another one, longer")
    assert again.client.get("/api/status").status_code == 401


def test_logging_out_ends_the_session_for_whoever_has_copied_it_and_no_other(stand, kept):
    place = stand(password=kept)
    place.client.post("/api/login", json={"password": SECRET})
    copied, other = place.client.cookies[place.access.cookie], place.access.session()
    assert place.client.post("/api/logout").status_code == 200
    assert not place.client.cookies
    assert not place.access.admits_session(copied)
    assert place.access.admits_session(other)


def test_who_logged_out_stays_so_after_a_restart(kept, tmp_path):
    file, key, now = tmp_path / "page.ended", b"k" * 32, [1000.0]

    def start():
        return Access(kept, key=key, clock=lambda: now[0], ended=file)

    first = start()
    sessions = [first.session() for _ in range(600)]
    first.end("forged.0123456789abcdef.0")
    assert not file.exists()
    for session in sessions[:2]:
        first.end(session)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [start().admits_session(session) for session in sessions[:3]] == [False, False, True]
    for session in sessions[2:]:
        first.end(session)
    assert len(file.read_text().splitlines()) == 512, "the newest"
    now[0] += 29 * 86400
    late = start().session()
    now[0] += 2 * 86400
    last = start()
    last.end(late)
    assert file.read_text() == late.rpartition(".")[0] + "\n", "what has ended by itself is forgotten"
    for damage in (b"\xff\x00", b"nonsense\n..\n" + b"9" * 100_000):
        file.write_bytes(damage)
        assert start().admits_session(first.session())


def test_a_logout_that_cannot_be_kept_holds_until_the_restart(kept, tmp_path, caplog):
    access = Access(kept, ended=tmp_path / "nowhere" / "page.ended")
    session = access.session()
    access.end(session)
    assert not access.admits_session(session)
    assert "a restart forgets who logged out" in caplog.text


def test_two_cameras_of_one_board_have_two_cookies():
    assert len({Access(key=bytes([n]) * 32).cookie for n in range(3)}) == 3
    assert Access(key=b"k" * 32).cookie == Access("another", key=b"k" * 32).cookie


@pytest.mark.parametrize("path", ["/api/events", "/api/preview.mjpeg"])
@pytest.mark.parametrize("how", ["logout", "password", "token"])
def test_a_stream_ends_with_its_session(stand, seen, masks, kept, path, how):
    place = stand(password="" if how == "password" else kept)
    headers = [(b"host", b"127.0.0.1:8765"), (b"accept", b"text/event-stream")]
    session = place.access.session()
    if how == "logout":
        headers.append((b"cookie", f"{place.access.cookie}={session}".encode()))
    if how == "token":
        headers.append((b"authorization", f"Bearer {SECRET}".encode()))
    change = {
        "logout": lambda: place.access.end(session),
        "password": lambda: setattr(place.access, "password", kept),  # it was open for all
        "token": lambda: setattr(place.access, "password", passwords.hashed("another one, longer")),
    }[how]
    place.show(seen(masks.ON))
    place.hub.send(Event("state", 1.0, state="ok"))

    async def stream():
        sent = []

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)
            if message.get("body"):
                change()

        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"after=0", "headers": headers}
        await asyncio.wait_for(place.app(scope | {"client": ("192.0.2.1", 1)}, receive, send), 20)
        return [message for message in sent if message.get("body")]

    assert len(asyncio.run(stream())) == 1, "nothing after the one that was sent before"


def test_many_attempts_at_the_same_moment_are_many_attempts(stand, kept):
    place = stand(password=kept)

    async def attempts(call, body):
        async def receive():
            await asyncio.sleep(0)  # all requests are there before the first body
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": ("192.0.2.1", 1)}
        answers = await asyncio.gather(*(call(place.page, Request(dict(scope), receive)) for _ in range(20)))
        return [answer.status_code for answer in answers]

    told = asyncio.run(attempts(api.login, b'{"password": "a guess"}'))
    assert (told.count(401), told.count(429)) == (FREE, 20 - FREE)
    place.clock.now += 10_000
    told = asyncio.run(attempts(api.password, b'{"old": "a guess", "new": "0123456789"}'))
    assert (told.count(403), told.count(429)) == (FREE, 20 - FREE)


def test_a_session_ends_and_cannot_be_made_longer(stand, kept):
    place = stand(password=kept)
    session = place.access.session()
    ends, _, rest = session.partition(".")
    assert place.access.admits_session(session)
    assert not place.access.admits_session(f"{int(ends) + 1}.{rest}")
    place.wall.now += 31 * 86400
    assert not place.access.admits_session(session)
    for forged in ("", ".", "..", "9" * 400, "٣.a.b", f"{ends}.{rest}\udcff"):
        assert not place.access.admits_session(forged)


def test_programs_come_with_a_token_or_the_password(stand, kept):
    place = stand(password=kept, token=passwords.hashed("a token for Prometheus"))
    for secret, status in ((SECRET, 200), ("a token for Prometheus", 200), ("neither", 401)):
        assert place.client.get("/metrics", headers={"authorization": f"Bearer {secret}"}).status_code == status


def test_guessing_is_slowed_down_for_passwords_and_tokens_alike(stand, kept):
    place = stand(password=kept)
    for i in range(FREE):
        guess = {"authorization": f"Bearer guess {i}"}
        assert place.client.get("/metrics", headers=guess).status_code == 401
    for call in (
        lambda: place.client.get("/metrics", headers={"authorization": f"Bearer {SECRET}"}),
        lambda: place.client.post("/api/login", json={"password": SECRET}),
        lambda: place.client.post("/api/password", json={"old": SECRET, "new": "x" * 12}),
    ):
        answer = call()
        assert answer.status_code in (401, 429)
    answer = place.client.post("/api/login", json={"password": SECRET})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    place.clock.now += 1.1
    assert place.client.post("/api/login", json={"password": SECRET}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.nip.io:8765", "localhost.evil.example", "", "[::1", "a b"])
def test_a_foreign_name_reads_nothing(stand, host):
    answer = stand().client.get("/api/status", headers={"host": host})
    assert answer.status_code == 421
    assert "version" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "[::1]:8765", "localhost", "192.168.1.20", "Door.Example:8765"])
def test_our_own_names_and_every_address_are_known(stand, host):
    place = stand(overrides=['web.names=["door.example"]'])
    assert place.client.get("/api/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_changes_nothing(stand, headers):
    place = stand()
    answer = place.client.patch("/api/settings", json={"camera.width": 320}, headers=headers)
    assert answer.status_code == 403
    assert not place.editor.path.exists()


def test_our_own_page_and_programs_do(stand):
    place = stand()
    for headers in ({}, {"origin": "http://127.0.0.1:8765", "sec-fetch-site": "same-origin"}):
        answer = place.client.patch("/api/settings", json={"camera.width": 320}, headers=headers)
        assert answer.status_code == 200


def test_every_answer_carries_the_policy(stand, kept):
    for place in (stand(), stand(password=kept)):
        for path in ("/", "/login", "/api/status", "/nope", "/static/page.js"):
            headers = place.client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"], path
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "access-control-allow-origin" not in headers


def test_the_first_password_and_the_next(stand):
    place = stand()
    assert place.client.post("/api/password", json={"new": "short"}).status_code == 422
    assert place.client.post("/api/password", json={"new": SECRET}).status_code == 200
    text = place.editor.path.read_text()
    assert "scrypt:" in text
    assert SECRET not in text
    assert place.client.get("/api/status").status_code == 200, "who set it is in"
    other = type(place.client)(place.app, "http://127.0.0.1:8765")
    assert other.get("/api/status").status_code == 401
    assert place.client.post("/api/password", json={"new": "y" * 12, "old": "wrong"}).status_code == 403
    assert place.client.post("/api/password", json={"new": "y" * 12, "old": SECRET}).status_code == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5"])
def test_no_address_but_this_machine_s_own_without_a_password(tmp_path, capsys, address, kept):
    path = tmp_path / "m.toml"
    path.write_text(f'[web]\naddress = "{address}"\n')
    assert main(["config", "check", str(path)]) == 2
    assert "password" in capsys.readouterr().err
    path.write_text(f'[web]\naddress = "{address}"\npassword = "{kept}"\n')
    assert main(["config", "check", str(path)]) == 0


def test_a_password_in_clear_is_refused_and_not_printed(tmp_path, capsys):
    path = tmp_path / "m.toml"
    path.write_text('[web]\npassword = "hunter2hunter2"\n')
    assert main(["config", "check", str(path)]) == 2
    assert "web.password" in capsys.readouterr().err


def test_nothing_secret_reaches_the_log(stand, kept, caplog):
    caplog.set_level(logging.DEBUG)
    place = stand(password=kept)
    place.client.post("/api/login", json={"password": "a wrong secret"})
    place.client.post("/api/login", json={"password": SECRET})
    place.client.get("/metrics", headers={"authorization": "Bearer a wrong secret"})
    assert "secret" not in caplog.text
    assert SECRET not in caplog.text
