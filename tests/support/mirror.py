"""A web server on this machine, in the place of the mirrors of data sets."""

import http.server
import threading


class Mirror:
    """A server whose answers are set by path; other paths are not found."""

    def __init__(self):
        self.answers, self.asked, self.agents = {}, [], set()
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.asked.append(self.path)
                answer = mirror.answers.get(self.path)
                if answer is None:
                    self.send_error(404)
                elif callable(answer):
                    answer(self)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                """Keep quiet when the client goes away."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        threading.Thread(
            target=self.server.serve_forever,
            kwargs={"poll_interval": 0.02},
            daemon=True,
        ).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
