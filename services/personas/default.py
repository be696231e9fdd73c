"""The persona of a tenant without a persona file: a plain Debian host at every address."""

from services.personas.model import Persona
from services.personas.parse import parse_persona

_TEXT = """\
postern-persona: 1
tenant: %s
hosts:
  dark:
    addresses: dark
    services:
      22:
        protocol: ssh
        identification: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"
        hostname: srv1
        users: {root: [root, toor, "123456", admin, password], admin: [admin], debian: [debian]}
      80:
        protocol: http
        headers:
          - [Server, nginx/1.22.1]
          - [Date, "{date}"]
          - [Content-Type, text/html]
          - [Content-Length, "{length}"]
          - [Last-Modified, "Tue, 06 Jun 2023 17:02:14 GMT"]
          - [Connection, "{connection}"]
          - [ETag, '"647f6436-267"']
          - [Accept-Ranges, bytes]
        body: |
          <!DOCTYPE html>
          <html>
          <head>
          <title>Welcome to nginx!</title>
          <style>
          html { color-scheme: light dark; }
          body { width: 35em; margin: 0 auto;
          font-family: Tahoma, Verdana, Arial, sans-serif; }
          </style>
          </head>
          <body>
          <h1>Welcome to nginx!</h1>
          <p>If you see this page, the nginx web server is successfully installed and
          working. Further configuration is required.</p>

          <p>For online documentation and support please refer to
          <a href="http://nginx.org/">nginx.org</a>.<br/>
          Commercial support is available at
          <a href="http://nginx.com/">nginx.com</a>.</p>

          <p><em>Thank you for using nginx.</em></p>
          </body>
          </html>
"""


def default_persona(tenant: str) -> Persona:
    return parse_persona(_TEXT % tenant, f"default persona of {tenant}")
