"""The recording page: who may see and hear what."""

from __future__ import annotations

import hashlib
import io
import socket
import ssl

import numpy as np
import soundfile
from web_rig import TAKE, files, likeness, of, wav

from data_tools.web.app import PAGE
from data_tools.web.invitation import Invitation
from wakeword.audio import SAMPLE_RATE


def test_nobody_without_the_token_sees_anything(page):
    token = page.url.rstrip("/").rpartition("/")[2]
    host = page.url.removesuffix(f"{token}/")
    below = [f"/{path.relative_to(PAGE)}" for path in PAGE.rglob("*") if path.is_file()]
    below += ["", "/", "/api/state", "/api/consent", "/api/takes/x", "/../", "//", "/%2e%2e/"]
    wrong = ["", token[:-1], token.swapcase(), f"{token}x", "%00", "é" * 22]
    urls = [f"{host}x{path}" for path in below] + [f"{host}{w}/api/state" for w in wrong]
    known = page.joined("Token")  # the cookie alone opens nothing
    for url in urls:
        for method in ("GET", "DELETE"):
            answer = known.request(method, url, follow_redirects=False)
            assert answer.status_code == 404, (method, url)
            assert b"phrase" not in answer.content and token.encode() not in answer.content
    assert known.get("").status_code == 200


def test_without_agreeing_nothing_can_be_sent_or_heard(page, take):
    stranger = page.client()
    before = files(page.folder)
    assert stranger.post(TAKE, content=wav(take)).status_code == 403
    assert stranger.get("api/takes/anything").status_code == 403
    assert stranger.request("DELETE", "api/speaker").status_code == 403
    for version in ("0", None):
        answer = stranger.post("api/speaker", json={"name": "Eve", "consent_version": version})
        assert answer.status_code == 409 and answer.json()["error"] == "consent"
    assert files(page.folder) == before
    assert stranger.get("api/state").json()["speaker"] is None


def test_a_speaker_hears_and_deletes_only_their_own(page, take):
    ann, bob = page.joined("Ann"), page.joined("Bob")
    kept = ann.post(TAKE, content=wav(take)).json()
    (mine,) = kept["recordings"]
    heard = ann.get(f"api/takes/{mine['id']}")
    samples, rate_hz = soundfile.read(io.BytesIO(heard.content), dtype="float32")
    assert rate_hz == SAMPLE_RATE and likeness(samples, take) > 0.99
    assert bob.get(f"api/takes/{mine['id']}").status_code == 404
    assert bob.delete(f"api/takes/{mine['id']}").status_code == 404
    assert bob.get("api/state").json()["recordings"] == []
    bob.post(f"{TAKE}?instead_of={mine['id']}", content=wav(take * 0.9))
    assert [clip.id for clip in of(page, "Ann")] == [mine["id"]]


def test_two_people_of_one_name_are_two_speakers(page, take):
    first, second = page.joined("Kim"), page.joined("kim")
    first.post(TAKE, content=wav(take))
    assert second.get("api/state").json()["speaker"]["name"] == "kim-2"
    assert second.get("api/state").json()["recordings"] == []


def test_a_page_of_somebody_elses_cannot_use_the_speakers_cookie(page):
    victim = page.joined("Victim")
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert victim.request("DELETE", "api/speaker", headers=elsewhere).status_code == 403
    assert victim.get("api/state").json()["speaker"]["name"] == "Victim"


def test_the_certificate_is_the_one_whose_fingerprint_the_host_is_shown(page):
    port = int(page.url.split(":")[2].split("/")[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain) as tls:
            der = tls.getpeercert(binary_form=True)
    assert hashlib.sha256(der).hexdigest().upper() == page.fingerprint.replace(":", "")
    trusting = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(der))
    with socket.create_connection(("127.0.0.1", port)) as plain:
        trusting.wrap_socket(plain, server_hostname="127.0.0.1").close()


def test_a_camera_reads_the_invitation_from_the_terminal():
    import zxingcpp

    invitation = Invitation("192.168.100.200", 65535)
    rows = []
    for line in invitation.qr_code().splitlines():
        rows.append([char in "█▀" for char in line])
        rows.append([char in "█▄" for char in line])
    picture = np.kron(np.array(rows, np.uint8) * 255, np.ones((4, 4), np.uint8))
    (code,) = zxingcpp.read_barcodes(picture)
    assert code.text == invitation.url
