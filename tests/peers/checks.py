"""checks - every kind of check against real things: nginx over HTTP and TLS, Debian's monitoring plugins, a dead port."""
import json
import os
import signal
import subprocess

from daemon import Daemon, arguments, expect, fetch, free_port, libraries

NAME = "shop.test"


def certificate(folder, name, days):
    """A certificate that ends in so many days, self-signed by certtool or openssl; its own authority."""
    key, pem = os.path.join(folder, f"{name}.key"), os.path.join(folder, f"{name}.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-days", str(days), "-subj", f"/CN={NAME}",
                    "-addext", f"subjectAltName=DNS:{NAME}"], check=True, stderr=subprocess.DEVNULL)
    return key, pem


def nginx(root, folder, port, tls):
    """tls: [(port, key, pem)]. The process, which stays in the foreground."""
    config = os.path.join(folder, "nginx.conf")
    servers = "".join(f"server {{ listen 127.0.0.1:{p} ssl; ssl_certificate {pem}; ssl_certificate_key {key}; return 200 'fine'; }}" for p, key, pem in tls)
    places = " ".join(f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(config, "w") as file:
        file.write(f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; events {{}}
http {{ access_log off; {places}
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 'status: all well'; }} location /old {{ return 302 /; }} location /broken {{ return 500; }} }}
  {servers} }}""")
    return subprocess.Popen([os.path.join(root, "usr/sbin/nginx"), "-c", config, "-p", folder], env=libraries(root), stderr=subprocess.DEVNULL,
                            start_new_session=True)


def stop(server):
    """nginx and its workers: all of them are its session."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def state(daemon, check):
    return daemon.value(f'check_state{{check="{check}"}}')


def main():
    program, peers = arguments()
    fetch(peers, "nginx", "monitoring-plugins-basic")
    plugins = os.path.join(peers, "monitoring-plugins-basic/usr/lib/nagios/plugins")
    daemon = Daemon(program)
    folder = daemon.folder
    os.chmod(folder, 0o755)
    port, far_tls, near_tls, dead = (free_port() for _ in range(4))
    far, near = certificate(folder, "far", 400), certificate(folder, "near", 7)
    server = nginx(os.path.join(peers, "nginx"), folder, port, [(far_tls, *far), (near_tls, *near)])
    own = {"every": 1, "retry": 1, "attempts": 2}
    checks = [
        {"name": "page", "kind": "http", "url": f"http://127.0.0.1:{port}/old", "body": "all w.ll", **own},
        {"name": "broken", "kind": "http", "url": f"http://127.0.0.1:{port}/broken", "host": "web1", "service": "shop", **own},
        {"name": "text", "kind": "http", "url": f"http://127.0.0.1:{port}/", "body": "nothing of the kind", **own},
        {"name": "listens", "kind": "tcp", "host": "127.0.0.1", "port": port, **own},
        {"name": "dead", "kind": "tcp", "host": "127.0.0.1", "port": dead, **own},
        {"name": "far", "kind": "certificate", "host": "127.0.0.1", "port": far_tls, "server_name": NAME, "ca_file": far[1], **own},
        {"name": "near", "kind": "certificate", "host": "127.0.0.1", "port": near_tls, "server_name": NAME, "ca_file": near[1], **own},
        {"name": "other-name", "kind": "certificate", "host": "127.0.0.1", "port": far_tls, "server_name": "other.test", "ca_file": far[1], **own},
        {"name": "untrusted", "kind": "certificate", "host": "127.0.0.1", "port": far_tls, "server_name": NAME, **own},
        {"name": "plugin-tcp", "kind": "plugin", "command": [plugins + "/check_tcp", "-H", "127.0.0.1", "-p", port], **own},
        {"name": "plugin-http", "kind": "plugin", "command": [plugins + "/check_http", "-H", "127.0.0.1", "-p", port, "-u", "/broken"], **own},
        {"name": "plugin-disk", "kind": "plugin", "command": [plugins + "/check_disk", "-w", "1", "-c", "1", "-p", "/"], **own},
        {"name": "plugin-dummy", "kind": "plugin", "command": [plugins + "/check_dummy", "2", "made up"], **own},
        {"name": "not-allowed", "kind": "plugin", "command": ["/bin/true"], **own},
    ]
    content = os.path.join(folder, "checks.yaml")
    with open(content, "w") as file:
        json.dump({"checks": checks}, file)
    allow = os.path.join(folder, "allow")
    with open(allow, "w") as file:
        file.write(f"{plugins}/check_* ...\n")
    os.chmod(allow, 0o644)
    with open(daemon.config) as file:
        config = json.load(file)
    config.update({"content": [content], "launcher": {"allow": allow}})
    with open(daemon.config, "w") as file:
        json.dump(config, file)
    try:
        with daemon:
            wanted = {"page": 0, "broken": 2, "text": 2, "listens": 0, "dead": 2, "far": 0, "near": 1, "other-name": 2, "untrusted": 2, "plugin-tcp": 0,
                      "plugin-http": 2, "plugin-disk": 0, "plugin-dummy": 2, "not-allowed": 3}
            for name, code in wanted.items():
                daemon.wait_for(lambda: state(daemon, name) == code, f"check {name} in state {code}, which is in {state(daemon, name)}", 40)
                print(f"{name:14} state {code}")
            days = daemon.value('check_days_left{check="near"}')
            expect(6 < days <= 7, f"near ends in {days} days")
            expect(daemon.value('check_perfdata{check="plugin-disk",label="/",unit="B"}') > 1e6, "the disk plugin's performance data is in bytes")
            sources = {source["name"]: source for source in daemon.ask("/api/v1/sources")["sources"]}
            expect(sources["check:not-allowed"]["state"] == "failing", "a check that may not run is told on the sources page")
            # the title of an incident is what its first alert says; what the others say stands on its page
            pages = lambda: json.dumps([daemon.ask(f"/api/v1/incidents/{one['number']}") for one in daemon.ask("/api/v1/incidents")["incidents"]])
            daemon.wait_for(lambda: "status 500" in pages(), "an incident that says what the page answered")
            expect('"name": "http' not in pages(), "the address of a page is taken for a host")
            stop(server)
            daemon.wait_for(lambda: state(daemon, "listens") == 2, "the port to be found closed")
    finally:
        stop(server)
    print("all checks are in the states that they should be in")


if __name__ == "__main__":
    main()
