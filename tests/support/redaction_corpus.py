"""Texts for the redaction tests: lines that hold no secret, and surroundings that do once a value is put in."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(rb"\[redacted:[a-z0-9-]+\]")

HARMLESS: Final = tuple(
    r"""2026-03-14T09:26:53.589Z INFO  [main] c.e.shop.Application - Started in 4.212 seconds
2026-03-14T09:26:54.001Z DEBUG [http-1] o.s.web.DispatcherServlet - GET "/api/v1/items?page=2&size=50", parameters={}
2026-03-14 09:27:01,113 WARN  pool-3-thread-1 HikariPool-1 - no connection, timed out after 30000ms
{"level":"info","msg":"request completed","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}
{"level":"warn","msg":"token bucket is empty","client":"10.1.2.3","retry_after":"2s"}
{"level":"info","msg":"authentication succeeded","user":"alice","method":"oidc","auth_time":1741944422}
{"event":"password_changed","user":"alice","password_age_days":90}
{"level":"error","msg":"invalid password for user bob"}
{"usage":{"prompt_tokens":512,"completion_tokens":128,"total_tokens":640},"max_tokens":4096}
{"tokens":[101,2023,2003,102],"token_count":4}
{"key":"customer/17","bucket":"invoices","etag":"9b2cf535f27731c974343645a3985328"}
{"cache_key":"user:42:profile","hit":true}
{"primary_key":"id","foreign_key":"order_id","sort_key":"created_at"}
{"author":"Jane Doe","authors":["A","B"],"authority":"ca.internal"}
Mar 14 09:28:11 web-1 sshd[2211]: Accepted publickey for deploy: ED25519 SHA256:8fJ0q1mZ1r2vC3xO4pQ5sT6uV7wX8yZ9aB0
Mar 14 09:28:12 web-1 sshd[2212]: Failed password for invalid user admin from 203.0.113.9 port 40122 ssh2
Mar 14 09:28:13 web-1 sudo: alice : PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/systemctl status nginx
Mar 14 09:28:14 web-1 systemd[1]: Started Session 41 of user alice.
Mar 14 09:28:15 web-1 kernel: audit: type=1400 audit(1741944495.101:88): apparmor="DENIED" name="/etc/shadow"
10.0.0.7 - - [14/Mar/2026:09:29:00 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.33"
10.0.0.7 - - [14/Mar/2026:09:29:01 +0000] "GET /app.4f3c2b1a.js HTTP/2.0" 304 0 "https://shop.example/" "Mozilla/5.0"
10.0.0.8 - alice [14/Mar/2026:09:29:02 +0000] "POST /login HTTP/1.1" 302 154
level=info ts=2026-03-14T09:30:00Z caller=main.go:112 msg="Starting Prometheus" version="(version=3.2.1, branch=HEAD)"
level=info component=auth msg="token refreshed" expires_in=3600 token_type=Bearer
level=debug msg="access token expires in 3599s" component=oauth
level=error msg="authorization failed" reason=expired
time="2026-03-14T09:30:01Z" level=info msg="secret not found, retrying" name=db-credentials namespace=shop
E0314 09:30:02.000001       1 reflector.go:147] failed to list *v1.Secret: secrets is forbidden
I0314 09:30:03.000001       1 controller.go:611] "quota admission added evaluator" for="secrets"
Warning  FailedMount  3m  kubelet  MountVolume.SetUp failed for volume "token" : secret "default-token-x7k2p" not found
secret/db-credentials created
secret/db-credentials configured
kubectl get secrets -n shop
kubectl create secret tls web-tls --cert=tls.crt --key=tls.key
DB_HOST=db.internal
DB_PORT=5432
DB_USER=shop
DB_PASSWORD_FILE=/run/secrets/db_password
DB_PASSWORD=${DB_PASSWORD}
DB_PASSWORD=$DB_PASSWORD
DB_PASSWORD=
DB_PASSWORD=""
API_KEY=<your-api-key>
API_KEY=your_api_key_here
API_TOKEN=********
API_TOKEN=xxxxxxxx
SECRET_KEY_PATH=/etc/app/secret.key
SECRET_NAME=prod/shop/db
SECRET_ARN=arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf
TOKEN_URL=https://login.example/oauth2/token
TOKEN_TTL=3600
TOKEN_EXPIRY_SECONDS=900
PASSWORD_MIN_LENGTH=12
PASSWORD_RESET_TIMEOUT_DAYS=3
REQUIRE_PASSWORD=true
AUTH_ENABLED=true
AUTH_METHOD=oidc
AUTH_PROVIDER=keycloak
SSH_AUTH_SOCK=/tmp/ssh-agent.sock
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
PWD=/srv/app
OLDPWD=/srv
HOME=/root
LANG=en_US.UTF-8
KUBERNETES_SERVICE_HOST=10.96.0.1
GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D
PYTHON_SHA256=fa80b3c22ef2d8d7c3a5d3a9b8f1d2c3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9
password: ${vault:secret/data/shop#password}
password: "{{ .Values.db.password }}"
password: !vault |
password_file: /run/secrets/pw
passwordSecretRef:
secretName: shop-tls
secretKeyRef:
existingSecret: shop-db
tokenSecretName: gateway
imagePullSecrets:
automountServiceAccountToken: false
serviceAccountName: shop
tokenReviewURL: https://kubernetes.default.svc/apis/authentication.k8s.io
publicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0q1mZ1r2vC3xO4pQ5sT6uV7wX8yZ9aB0cD1eF2gH deploy
ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDc3k1 alice@laptop
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUQ0p5c2FtcGxlY2VydGlmaWNhdGUwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEexamplepublickeyexamplepublick
-----END PUBLIC KEY-----
image: registry.example/shop@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904
request_id=550e8400-e29b-41d4-a716-446655440000 status=200
X-Request-Id: 550e8400-e29b-41d4-a716-446655440000
Content-Type: application/json; charset=utf-8
WWW-Authenticate: Bearer realm="shop", error="invalid_token"
Access-Control-Allow-Headers: Authorization, Content-Type, X-Api-Key
Access-Control-Allow-Credentials: true
Vary: Origin, Cookie
https://shop.example/items/17?page=2&sort=asc
https://docs.example/how-to#tokens
https://medium.example/@alice/post-1
git@github.com:example/shop.git
ssh://git@git.example/shop.git
postgres://db.internal:5432/shop
postgres://shop@db.internal/shop
postgres://shop:${DB_PASSWORD}@db.internal/shop
redis://cache.internal:6379/0
mailto:alice@example.com
jdbc:postgresql://db.internal:5432/shop?sslmode=verify-full
amqp://broker.internal:5672/%2F
def login(user: str, password: str) -> Token:
    token = get_token(user, password)
    if token == nil {
        return errors.New("token: missing")
    password = os.environ["DB_PASSWORD"]
    password = getpass.getpass("Password: ")
    const apiKey = process.env.API_KEY;
    self.token = token_provider.fetch()
    secret := os.Getenv("SECRET")
    private String password;
interface Login { password: string; token?: string }
syntax error: unexpected token: identifier at line 3
Unexpected token < in JSON at position 0
SyntaxError: Unexpected token: punc (.)
parse error near token: 17
password: must be at least 12 characters
Password: required
password for user alice expired
The password was reset by an administrator.
Enter passphrase for key '/home/alice/.ssh/id_ed25519':
the secret is to mix the dough slowly
keyboard layout: us
monkey: 17
turkey=1
keyspace=shop replication=3
keystore.location=/etc/kafka/keystore.jks
compass: north
lowpass=200
bypass=on
passed: 112, failed: 0
PASS: test_login (0.12s)
PASS
passenger_count=3
tokenizer: wordpiece
secretary: Jane Doe
authoritative=true
cookie_domain=.shop.example
cookie consent: accepted
session started for alice from 10.1.2.3
ConnectionString is missing
connection: keep-alive
connected=true peers=12
signal: killed
significant=0.95
sig=SIGTERM pid=4412
credentials: include
cred cache miss
task-1234567890abcdef1234567890abcdef finished
disk-usage-report-2026-03-14.csv
v1.2.3-rc.4+build.5678
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
AKIA
eyJ
ghp_
Bearer token is missing
Basic authentication is disabled
worker-7d9f8b6c5-xk2v9   1/1   Running   0   4d
{"name":"LOG_LEVEL","value":"debug"}
- name: DB_PASSWORD_FILE
  value: /run/secrets/db
{"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":{"name":"db","key":"password"}}}
key=retries value=3
cpu=0.25 mem=512Mi gc=12ms heap=1.2GiB""".splitlines()
)

# Each `@@` is where a value stands that must not survive.
SURROUNDINGS: Final = (
    "password=@@",
    "DB_PASSWORD=@@",
    "export MYSQL_PWD=@@",
    "db.password = @@",
    "spring.datasource.password=@@",
    'password: "@@"',
    "password: '@@'",
    "  password: @@",
    '{"user":"bob","password":"@@","n":1}',
    '{"msg":"{\\"password\\":\\"@@\\",\\"n\\":1}"}',
    "'password' => '@@',",
    "<password>@@</password>",
    '<property name="x" password="@@"/>',
    "apiKey: @@",
    "clientSecret=@@",
    "client_secret=@@&grant_type=x",
    "GET /v1?api_key=@@&page=2 HTTP/1.1",
    "Authorization: Bearer @@",
    "authorization: Basic @@",
    "Proxy-Authorization: Token @@",
    "curl -H 'Authorization: ApiKey @@' https://x.example",
    "X-Api-Key: @@",
    "X-Auth-Token: @@",
    "Cookie: sid=@@",
    "Set-Cookie: sid=@@; Path=/; HttpOnly",
    "postgres://bob:@@@db.internal:5432/shop",
    "redis://:@@@cache.internal/0",
    "amqps://bob:@@@broker/vhost",
    "shop:@@@tcp(10.0.0.1:3306)/shop",
    "Server=db;User Id=bob;Password=@@;Encrypt=true",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=@@;EndpointSuffix=y",
    "ALTER USER bob IDENTIFIED BY '@@';",
    "CREATE ROLE bob LOGIN PASSWORD '@@';",
    "machine api.example login bob password @@",
    "//registry.example/:_authToken=@@",
    "contraseña: @@",
    "пароль=@@",
    "密码=@@",
    "mot_de_passe=@@",
    "Passwort: @@",
    "SECRET_KEY_BASE=@@",
    "login ok user=bob password=@@ from=10.0.0.1",
    'level=info msg="x" token="@@" n=1',
    "aws_secret_access_key = @@",
    "${DB_PASSWORD:-@@}",
    "JWT_SECRET: @@",
    "encryption-key: @@",
    "ENCRYPTION_KEY=@@",
    '{"name":"DB_PASSWORD","value":"@@"}',
    "- name: DB_PASSWORD\n  value: @@",
    '<add key="ApiKey" value="@@"/>',
    "requirepass @@",
    "masterauth @@",
    "sslpass=@@",
    "https://x.example/v1;jsessionid=@@",
    "bind_pw=@@",
    "wifi.psk=@@",
    "AZURE_STORAGE_CONNECTION_STRING=@@",
    "\x1b[1;31mpwd=@@\x1b[0m",
    "\x1b[32mtoken\x1b[0m=@@",
)


def longest_surviving_share(secret: bytes, shown: bytes) -> float:
    """Says which share of the secret, in one piece, is still in the text; 0.6 of it counts as a leak."""
    shown = _TOKEN.sub(b"\0", shown)
    # What survives in one piece survives in every shorter one, so the longest is found by halving.
    least, most = 0, len(secret)
    while least < most:
        length = (least + most + 1) // 2
        if any(secret[start : start + length] in shown for start in range(len(secret) - length + 1)):
            least = length
        else:
            most = length - 1
    return least / len(secret)
