#!/usr/bin/python3
# A mail filter that makes every change the protocol knows, for tests: every-change.py SOCKET LOG
# What it does with a message stands in the message's field X-Do; what it hears it writes to LOG, a JSON list in each line.
import json
import sys

import Milter

LOG = open(sys.argv[2], "a", buffering=1)
STAGES = {
    "connect": ["j", "_", "{daemon_name}", "{daemon_addr}", "{client_addr}", "{client_port}", "{client_connections}", "v"],
    "mail": ["i", "{mail_addr}", "{mail_host}", "{mail_mailer}", "{auth_authen}", "{auth_type}", "{tls_version}", "{cipher}", "{cipher_bits}"],
    "rcpt": ["{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"],
    "eom": ["i"],
}


class EveryChange(Milter.Base):
    def __init__(self):
        self.id = Milter.uniqueID()

    def say(self, event, *words):
        macros = {name: self.getsymval(name) for name in STAGES.get(event, [])}
        LOG.write(json.dumps([event, *words, {name: value for name, value in macros.items() if value is not None}]) + "\n")

    def connect(self, name, family, address):
        self.say("connect", name, family, list(address) if isinstance(address, tuple) else address)
        return Milter.CONTINUE

    def hello(self, name):
        self.say("helo", name)
        return Milter.CONTINUE

    def envfrom(self, sender, *words):
        self.do, self.body_size, self.fields = "", 0, []
        self.say("mail", sender, *words)
        return Milter.REJECT if sender == "<refused@sender.example>" else Milter.CONTINUE

    def envrcpt(self, recipient, *words):
        self.say("rcpt", recipient, *words)
        if recipient.startswith("<later"):
            self.setreply("450", "4.2.9", "filter says later")
            return Milter.TEMPFAIL
        return Milter.CONTINUE

    def data(self):
        self.say("data")
        return Milter.CONTINUE

    def unknown(self, line):
        self.say("unknown", line)
        return Milter.CONTINUE

    def header(self, name, value):
        if name.lower() == "x-do":
            self.do = value.strip()
        self.fields.append(name)
        return Milter.CONTINUE

    def eoh(self):
        self.say("eoh", *self.fields)
        return Milter.CONTINUE

    def body(self, chunk):
        self.body_size += len(chunk)
        return Milter.SKIP if self.do == "skip" else Milter.CONTINUE

    def eom(self):
        self.say("eom", self.do, self.body_size)
        if self.do == "edit":
            self.addheader("X-Added", "added\n\tfolded")
            self.addheader("X-Inserted", "inserted", 1)
            self.chgheader("Subject", 1, "changed")
            self.chgheader("X-Gone", 1, "")
            self.progress()
            self.chgfrom("<changed@sender.example>")
            self.addrcpt("<bob@posthorn.test>")
            self.addrcpt("<carl@posthorn.test>", "NOTIFY=NEVER")
            self.delrcpt("<ann@posthorn.test>")
            self.replacebody(b"another ")
            self.replacebody(b"body\r\n")
        elif self.do == "large":
            for _ in range(40):
                self.replacebody(b"x" * 76 * 800 + b"\r\n")
        elif self.do == "reject":
            return Milter.REJECT
        elif self.do == "tempfail":
            return Milter.TEMPFAIL
        elif self.do == "discard":
            return Milter.DISCARD
        elif self.do == "reply":
            self.setreply("554", "5.7.9", "first line", "second line")
            return Milter.REJECT
        elif self.do == "quarantine":
            self.quarantine("looks odd")
        return Milter.ACCEPT if self.do == "accept" else Milter.CONTINUE

    def abort(self):
        self.say("abort")
        return Milter.CONTINUE

    def close(self):
        self.say("close")
        return Milter.CONTINUE


Milter.factory = EveryChange
Milter.set_flags(Milter.ADDHDRS | Milter.CHGBODY | Milter.ADDRCPT | Milter.DELRCPT | Milter.CHGHDRS | Milter.QUARANTINE | Milter.CHGFROM | Milter.ADDRCPT_PAR)
Milter.runmilter("every-change", sys.argv[1], 60)
