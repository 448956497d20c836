"""QuickFIX as a client: logs on, enters an order, is cut off, comes back, cancels, logs out.

Prints a line for each thing that happens; reads a line from its input before the cancel.
"""

import os
import sys
import tempfile

import quickfix as fix

BEGIN, SENDER, PORT = sys.argv[1:4]
DICTIONARY = os.path.join(sys.prefix, "share", "quickfix", BEGIN.replace(".", "") + ".xml")


def say(*words):
    print(*words, flush=True)


def field(message, tag):
    return message.getField(tag) if message.isSetField(tag) else "-"


class Trader(fix.Application):
    session = None
    logons = 0

    def onCreate(self, session):
        pass

    def onLogon(self, session):
        self.session = session
        self.logons += 1
        say("logon")
        if self.logons == 1:
            self.send("D", {11: "first", 38: "100", 40: "2", 44: "10.00", 59: "0"})

    def onLogout(self, session):
        say("gone")

    def toAdmin(self, message, session):
        kind = message.getHeader().getField(35)
        if kind == "2":
            say("asks", message.getField(7), message.getField(16))
        if kind == "3":
            say("rejects", message.toString().replace("\x01", "|"))

    def fromAdmin(self, message, session):
        if message.getHeader().getField(35) == "3":
            say("is rejected", message.toString().replace("\x01", "|"))

    def toApp(self, message, session):
        pass

    def fromApp(self, message, session):
        header = message.getHeader()
        again = header.isSetField(43) and header.getField(43) == "Y"
        say(
            "report" if header.getField(35) == "8" else header.getField(35),
            field(message, 11),
            field(message, 150),
            field(message, 39),
            field(message, 14),
            field(message, 151),
            "again" if again else "new",
        )

    def send(self, kind, fields):
        message = fix.Message()
        message.getHeader().setField(fix.StringField(8, BEGIN))
        message.getHeader().setField(fix.StringField(35, kind))
        common = {21: "1", 54: "1", 55: "AAPL"}
        for tag, value in {**common, **fields}.items():
            if kind == "F" and tag == 21:
                continue
            message.setField(fix.StringField(tag, value))
        time = fix.TransactTime()
        message.setField(time)
        fix.Session.sendToTarget(message, self.session)


settings = f"""[DEFAULT]
ConnectionType=initiator
StartTime=00:00:00
EndTime=00:00:00
HeartBtInt=5
ReconnectInterval=1
SocketConnectHost=127.0.0.1
SocketConnectPort={PORT}
UseDataDictionary=Y
DataDictionary={DICTIONARY}
[SESSION]
BeginString={BEGIN}
SenderCompID={SENDER}
TargetCompID=SPIN
"""
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "client.cfg")
    with open(path, "w") as file:
        file.write(settings)
    trader = Trader()
    initiator = fix.SocketInitiator(trader, fix.MemoryStoreFactory(), fix.SessionSettings(path))
    initiator.start()
    sys.stdin.readline()
    trader.send("F", {11: "second", 41: "first", 38: "100"})
    sys.stdin.readline()
    initiator.stop()
    say("done")
