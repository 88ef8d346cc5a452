#!/usr/bin/env python3
"""mail_postfix - a real Postfix takes a page and its resolution and delivers them into a maildir: one thread, readable, with the incident.

usage: mail_postfix.py PROGRAM [PEERS]     needs root (Postfix' master changes users)
"""
import email
import email.policy
import glob
import json
import os
import pwd
import subprocess
import tempfile
import time

from daemon import Daemon, arguments, expect, fetch, free_port, libraries, skip

ALERT = [{"labels": {"alertname": "DiskFull", "host": "web1", "severity": "critical", "service": "shop"},
          "annotations": {"summary": "the disk of web1 is full – schnell"}}]


def start_postfix(root, folder, port):
    """One smtpd on a loopback port that delivers all mail of example.org into a maildir; everything else stays off."""
    for name in ("etc", "spool", "lib", "mail"):
        os.makedirs(f"{folder}/{name}")
    os.chmod(folder, 0o755)
    owner = "nobody"
    os.chown(folder + "/lib", pwd.getpwnam(owner).pw_uid, -1)
    daemons = root + "/usr/lib/postfix/sbin"
    nobody = pwd.getpwnam(owner)
    os.chown(folder + "/mail", nobody.pw_uid, nobody.pw_gid)
    settings = {
        "compatibility_level": "3.6", "queue_directory": folder + "/spool", "data_directory": folder + "/lib", "daemon_directory": daemons,
        "command_directory": root + "/usr/sbin", "mail_owner": owner, "setgid_group": "nogroup", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
        "myhostname": "mail.example.org", "mydestination": "", "virtual_mailbox_domains": "example.org", "virtual_mailbox_base": folder + "/mail",
        "virtual_mailbox_maps": "static:box/", "virtual_uid_maps": f"static:{nobody.pw_uid}", "virtual_gid_maps": f"static:{nobody.pw_gid}",
        "maillog_file": folder + "/log", "maillog_file_prefixes": folder, "alias_maps": "", "alias_database": "", "local_recipient_maps": "", "smtpd_tls_security_level": "none", "mynetworks": "127.0.0.0/8",
        "shlib_directory": root + "/usr/lib/postfix", "meta_directory": root + "/etc/postfix", "default_database_type": "hash", "import_environment": "LD_LIBRARY_PATH MAIL_CONFIG MAIL_LOGTAG TZ", "biff": "no"}
    with open(folder + "/etc/main.cf", "w") as file:
        file.writelines(f"{key} = {value}\n" for key, value in settings.items())
    with open(folder + "/etc/master.cf", "w") as file:
        file.write(f"127.0.0.1:{port} inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n"
                   "bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\nvirtual unix - n n - - virtual\nproxymap unix - - n - - proxymap\n"
                   "postlog unix-dgram n - n - 1 postlogd\nanvil unix - - n - 1 anvil\nerror unix - - n - - error\n")
    environment = {**libraries(root), "MAIL_CONFIG": folder + "/etc"}
    for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"):
        os.makedirs(f"{folder}/spool/{name}", mode=0o700)
        os.chown(f"{folder}/spool/{name}", nobody.pw_uid, -1)
    for name in ("maildrop", "public"):
        os.makedirs(f"{folder}/spool/{name}", mode=0o730)
        os.chown(f"{folder}/spool/{name}", nobody.pw_uid, nobody.pw_gid)
    os.makedirs(folder + "/spool/pid")
    return subprocess.Popen([daemons + "/master", "-d", "-c", folder + "/etc"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


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
                expect(page["To"] == "<ann@example.org>" and "critical" in page["Subject"] and "DiskFull" in page["Subject"], page["Subject"])
                expect("schnell" in text and "web1" in text and "https://evenkeel.example.org/incidents/1" in text, text)
                expect("<table" in page.get_body(("html",)).get_content(), "there is no HTML")
                expect("resolved" in end["Subject"] and end["References"] == page["References"] and end["Message-ID"] != page["Message-ID"], end.items())
                status, out, err = daemon.cli("on-call")
                expect(status == 0 and "ann" in out, out + err)
                print("Postfix: a page and its resolution, one thread")
        except AssertionError:
            print(open(folder + "/log").read()[-3000:] if os.path.exists(folder + "/log") else "Postfix said nothing")
            raise
        finally:
            postfix.terminate()
            postfix.wait(60)


main()
