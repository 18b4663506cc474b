"""The recording page: ``wakeword data web`` lets phones and laptops on the network record.

::

    server.py        socket, certificate and invitation; start and stop
    certificate.py   a self-signed certificate, made at start
    invitation.py    address, token and QR code
    app.py           the addresses that the page calls (Starlette)
    studio.py        speakers at work: one dataset, one plan, a session each
    speakers.py      who has joined: names, consent and the hashes of their secrets
    upload.py        a recording received within limits, decoded, and only then believed
    host.py          what the host sees in the terminal
    page/            the page itself: plain HTML, CSS and JavaScript, and its languages
"""
