#!/usr/bin/env python3
"""promql_http - promql/compare.py with a whole program on our side: series come by remote write, questions by HTTP.

usage: promql_http.py PROGRAM [PEERS] [COUNT]
"""
import os
import subprocess
import sys

from daemon import Daemon, arguments, fetch

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    program, peers = arguments()
    fetch(peers, "prometheus")
    with Daemon(program) as daemon:
        with open(os.path.join(daemon.data, "cli.token")) as file:
            token = file.read().strip()
        environment = {**os.environ, "EVENKEEL_TOKEN": token}
        return subprocess.run([sys.executable, os.path.join(HERE, "promql/compare.py"), "--peers", peers, "--ours", f"http://127.0.0.1:{daemon.port}",
                               "--count", sys.argv[3] if len(sys.argv) > 3 else "2000"], env=environment).returncode


sys.exit(main())
