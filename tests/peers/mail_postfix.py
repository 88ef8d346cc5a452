#!/usr/bin/env python3
"""mail_postfix - a real Postfix takes a page and its resolution and delivers them into a maildir: one thread, readable, with the incident.

usage: mail_postfix.py PROGRAM [PEERS]     needs root (Postfix' master changes users)
"""
import contextlib
import email
import email.policy
import glob
import grp
import json
import os
import pwd
import signal
import smtplib
import subprocess
import tempfile
import time

from daemon import Daemon, arguments, expect, fetch, free_port, libraries, skip

ALERT = [{"labels": {"alertname": "DiskFull", "host": "web1", "severity": "critical", "service": "shop"},
          "annotations": {"summary": "the disk of web1 is full – schnell"}}]


def start_postfix(root, folder, port):
    """One smtpd on a loopback port that delivers all mail of example.org into a maildir; everything else stays off. Postfix refuses
    to share its own user with whoever owns mailboxes, so the queue is mail's and the maildir is nobody's."""
    queue, owner, box = pwd.getpwnam("mail"), "mail", pwd.getpwnam("nobody")
    os.chmod(folder, 0o755)
    own = {"etc": (0, 0), "spool": (0, 0), "spool/pid": (0, 0), "lib": (queue.pw_uid, queue.pw_gid), "mail": (box.pw_uid, box.pw_gid)}
    for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"):
        own["spool/" + name] = queue.pw_uid, 0
    for name in ("maildrop", "public"):
        own["spool/" + name] = queue.pw_uid, grp.getgrnam("uucp").gr_gid
    for name, (uid, gid) in own.items():
        os.mkdir(f"{folder}/{name}", 0o755 if uid == 0 else 0o710 if gid else 0o700)
        os.chown(f"{folder}/{name}", uid, gid)
    daemons = root + "/usr/lib/postfix/sbin"
    settings = {
        "compatibility_level": "3.6", "queue_directory": folder + "/spool", "data_directory": folder + "/lib", "daemon_directory": daemons,
        "command_directory": root + "/usr/sbin", "shlib_directory": root + "/usr/lib/postfix", "meta_directory": root + "/etc/postfix",
        "mail_owner": owner, "setgid_group": "uucp", "default_privs": "nobody", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
        "myhostname": "mail.example.org", "mydestination": "", "mynetworks": "127.0.0.0/8", "virtual_mailbox_domains": "example.org",
        "virtual_mailbox_base": folder + "/mail", "virtual_mailbox_maps": "static:box/", "virtual_uid_maps": f"static:{box.pw_uid}",
        "virtual_gid_maps": f"static:{box.pw_gid}", "alias_maps": "", "alias_database": "", "local_recipient_maps": "", "smtpd_tls_security_level": "none",
        "maillog_file": folder + "/log", "maillog_file_prefixes": folder, "default_database_type": "hash", "biff": "no",
        "import_environment": "LD_LIBRARY_PATH MAIL_CONFIG MAIL_LOGTAG TZ"}
    with open(folder + "/etc/main.cf", "w") as file:
        file.writelines(f"{key} = {value}\n" for key, value in settings.items())
    with open(folder + "/etc/master.cf", "w") as file:
        file.write(f"127.0.0.1:{port} inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n"
                   "bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\nvirtual unix - n n - - virtual\nproxymap unix - - n - - proxymap\n"
                   "postlog unix-dgram n - n - 1 postlogd\nanvil unix - - n - 1 anvil\nerror unix - - n - - error\n")
    environment = {**libraries(root), "MAIL_CONFIG": folder + "/etc"}
    postfix = subprocess.Popen([daemons + "/master", "-d", "-c", folder + "/etc"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)  # master ends its process group when it ends
    until = time.monotonic() + 60
    while time.monotonic() < until and postfix.poll() is None:
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as hello:
                hello.noop()
            return postfix
        except OSError:
            time.sleep(0.2)
    stop_postfix(postfix)
    raise AssertionError(f"Postfix does not listen: {told(folder)}")


def stop_postfix(postfix):
    """Its process group, which is its own session: nothing of it stays."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(postfix.pid, signal.SIGTERM)
    try:
        postfix.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(postfix.pid, signal.SIGKILL)
        postfix.wait(20)


def told(folder):
    path = folder + "/log"
    if not os.path.exists(path):
        return "it wrote no log"
    with open(path) as file:
        return file.read()[-3000:]


def mails(folder):
    found = []
    for path in sorted(glob.glob(folder + "/mail/box/new/*"), key=os.path.getmtime):
        with open(path, "rb") as file:
            found.append(email.message_from_binary_file(file, policy=email.policy.default))
    return found


def main():
    program, peers = arguments()
    if os.geteuid() != 0:
        skip("Postfix' master must be started by root")
    fetch(peers, "postfix")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="evenkeel-postfix-") as folder:
        postfix = start_postfix(peers + "/postfix", folder, port)
        try:
            with open(folder + "/teams.yaml", "w") as file:
                json.dump({"receivers": [{"name": "mail", "email": {"server": "127.0.0.1", "port": port, "security": "plain", "from": "evenkeel@example.org"}}],
                           "people": [{"name": "ann", "contacts": [{"receiver": "mail", "to": "ann@example.org"}]}],
                           "on_call": [{"name": "ops", "time_zone": "Europe/Berlin", "rotations": [{"people": ["ann"]}]}],
                           "teams": [{"name": "ops", "on_call": "ops"}], "routes": [{"group_wait": "1s"}]}, file)
            with Daemon(program, more={"content": [folder + "/teams.yaml"], "http": {"link": "https://evenkeel.example.org"}}) as daemon:
                headers = {**daemon.token(), "Content-Type": "application/json"}
                expect(daemon.request("/api/v2/alerts", headers, "POST", json.dumps(ALERT))[0] == 200, "the alert was not taken")
                daemon.wait_for(lambda: len(mails(folder)) == 1, "the page in the maildir", 60)
                over = [{**ALERT[0], "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}]
                expect(daemon.request("/api/v2/alerts", headers, "POST", json.dumps(over))[0] == 200, "the resolution was not taken")
                daemon.wait_for(lambda: len(mails(folder)) == 2, "the resolution in the maildir", 60)
                page, end = mails(folder)
                text = page.get_body(("plain",)).get_content()
                expect(page["To"].addresses[0].addr_spec == "ann@example.org" and page["Subject"].startswith("#1 critical: the disk of web1 is full – schnell"), page["Subject"])
                expect(page["Auto-Submitted"] == "auto-generated" and page["Importance"] == "high" and not end["Importance"], page.items())
                expect("schnell" in text and "web1" in text and "https://evenkeel.example.org/incidents/1" in text, text)
                expect("<table" in page.get_body(("html",)).get_content(), "there is no HTML")
                expect("resolved" in end["Subject"] and end["References"] == page["References"] and end["Message-ID"] != page["Message-ID"], end.items())
                status, out, err = daemon.cli("on-call")
                expect(status == 0 and "ann" in out, out + err)
                print(text, end.get_body(("plain",)).get_content(), sep="\n")
                print("Postfix: a page and its resolution, one thread")
        except AssertionError:
            print(told(folder))
            raise
        finally:
            stop_postfix(postfix)


main()
