"""Lines of generated texts: `{alphabet:length}` is random filler, and what stands between « and » is secret."""

from __future__ import annotations

from typing import Final

# Ordinary events of a service, about 210 bytes as JSON; some speak of tokens, keys and passwords without holding one.
LOG_EVENTS: Final = (
    '"level":"info","logger":"shop.http","msg":"request completed","method":"GET","path":"/api/v1/items/{digits:5}",'
    '"status":200,"duration_ms":{digits:2},"trace_id":"{hex:32}","span_id":"{hex:16}","pod":"web-{digits:1}"',
    '"level":"info","logger":"shop.http","msg":"request completed","method":"POST","path":"/api/v1/carts/{digits:7}",'
    '"status":201,"duration_ms":1{digits:2},"trace_id":"{hex:32}","client":"10.{digits:2}.1{digits:1}.7"',
    '"level":"info","logger":"shop.http","msg":"request completed","method":"GET","path":"/healthz","status":200,'
    '"duration_ms":1,"user_agent":"kube-probe/1.33","remote":"10.4.{digits:2}.1","bytes":{digits:2}',
    '"level":"debug","logger":"shop.sql","msg":"query","statement":"SELECT id, name, price FROM item WHERE shelf = $1 '
    'ORDER BY name LIMIT 50","rows":{digits:2},"duration_ms":{digits:1},"pool":"primary"',
    '"level":"info","logger":"shop.cache","msg":"hit","cache_key":"item:{digits:6}:price","age_s":{digits:2},'
    '"backend":"redis-{digits:1}.cache.svc","size_bytes":{digits:4},"shard":{digits:1}',
    '"level":"warn","logger":"shop.payment","msg":"upstream slow, retrying","attempt":{digits:1},"upstream":'
    '"https://pay.example.internal/v2/charges/{digits:9}","timeout_ms":1500,"trace_id":"{hex:32}"',
    '"level":"info","logger":"shop.auth","msg":"token refreshed","user_id":"{digits:8}","auth_method":"oidc",'
    '"expires_in_s":3600,"session":"active","trace_id":"{hex:32}"',
    '"level":"info","logger":"shop.jobs","msg":"batch finished","job":"thumbnails","id":"{hex:8}-{hex:4}-4{hex:3}-a'
    '{hex:3}-{hex:12}","items":{digits:3},"failed":0,"duration_ms":{digits:5}',
    '"level":"error","logger":"shop.mail","msg":"delivery failed","code":"4.7.1","reason":"greylisted, try again in '
    '{digits:2}s","recipient_domain":"mail{digits:1}.example.org","queue":"transactional","attempt":{digits:1}',
    '"level":"info","logger":"shop.http","msg":"request completed","method":"PUT","path":"/api/v1/users/{digits:6}'
    '/password","status":204,"duration_ms":{digits:2},"trace_id":"{hex:32}"',
    '"level":"debug","logger":"shop.queue","msg":"consumed","topic":"orders","partition":{digits:1},"offset":{digits:8},'
    '"lag":{digits:2},"consumer_group":"billing","key":"order-{digits:7}"',
    '"level":"info","logger":"shop.files","msg":"stored","bucket":"invoices","object":"2026/03/{digits:8}.pdf",'
    '"etag":"{hex:32}","size_bytes":{digits:6},"storage_class":"STANDARD"',
)

# Lines of plain text, about 100 bytes, that hold no secret.
PLAIN_LINES: Final = (
    "2026-03-14T09:26:53.{digits:3}Z INFO  [http-{digits:1}] c.e.shop.Orders - order {digits:7} accepted in {digits:2} ms",
    "2026-03-14T09:26:54.{digits:3}Z DEBUG [pool-{digits:1}] c.e.shop.Sql - 14 rows from item in {digits:1} ms, trace {hex:16}",
    "2026-03-14T09:26:55.{digits:3}Z WARN  [http-{digits:1}] c.e.shop.Cache - miss for item:{digits:6}:price, asking db-{digits:1}",
    "Mar 14 09:27:01 web-{digits:1} kernel: eth0: link becomes ready, mtu 1450, queue {digits:2}, driver virtio_net",
    '10.1.{digits:2}.7 - - [14/Mar/2026:09:27:02 +0000] "GET /assets/app.{hex:8}.js HTTP/1.1" 200 {digits:5} "-"',
    'level=info ts=2026-03-14T09:27:03Z caller=main.go:{digits:3} component=scheduler msg="cycle done" jobs={digits:2}',
    "2026-03-14 09:27:04,{digits:3} INFO worker-{digits:1} celery.app.trace: Task mail.send[{hex:8}] succeeded in 0.{digits:3}s",
    "I0314 09:27:05.{digits:6}       1 controller.go:611] quota admission added evaluator for events, took {digits:2}ms",
)

# Lines of about 100 bytes with one secret each: shapes of vendors, names before values, headers, addresses, statements.
SECRET_LINES: Final = (
    "2026-03-14T09:26:53Z INFO  [http-1] c.e.shop.Ci - cloning the repository with «ghp_{alnum:36}»",
    "2026-03-14T09:26:53Z WARN  [http-2] c.e.shop.Ci - mirror refused «glpat-{alnum:20}», trying the next one",
    "2026-03-14T09:26:53Z DEBUG [http-3] c.e.shop.Pay - charging customer 1881 with «sk_live_{alnum:24}» now",
    "2026-03-14T09:26:53Z INFO  [http-4] c.e.shop.Chat - posting as «xoxb-{digits:12}-{digits:12}-{alnum:24}»",
    "2026-03-14T09:26:53Z INFO  [http-5] c.e.shop.Maps - geocoding with key «AIza{alnum:35}» for region eu",
    "export AWS_ACCESS_KEY_ID=AKIA{base32:16} AWS_SECRET_ACCESS_KEY=«{base64:40}» AWS_REGION=eu-west-1",
    "2026-03-14T09:26:53Z ERROR [pool-1] c.e.shop.Db - cannot connect: postgresql://shop:«{alnum:20}»@db-1:5432/shop",
    "2026-03-14T09:26:53Z ERROR [pool-2] c.e.shop.Db - redis://:«{alnum:24}»@cache-{digits:1}.internal:6379/0 timed out",
    "> Authorization: Bearer «{alnum:48}»",
    "> Authorization: Basic «{base64:40}»",
    "> X-Api-Key: «{hex:40}»",
    '{"event":"login","user":"alice","password":"«{symbols:14}»","source":"10.1.{digits:2}.7","ok":false}',
    '{"service":"billing","config":{"client_secret":"«{alnum:40}»","retries":3},"reloaded":true}',
    "DB_PASSWORD=«{alnum:22}»",
    "db.password: «{alnum:18}»",
    "spring.datasource.password=«{alnum:20}»",
    "2026-03-14T09:26:53Z INFO  [main] c.e.shop.Boot - GET /v1/export?format=csv&api_key=«{hex:32}»&page={digits:2}",
    "2026-03-14T09:26:53Z DEBUG [sql-1] ALTER USER shop IDENTIFIED BY '«{alnum:16}»';",
    "+ mysql -u shop -p«{alnum:16}» -h db-{digits:1}.internal shop < /srv/shop/schema/{digits:4}.sql",
    "2026-03-14T09:26:53Z INFO  [http-6] c.e.shop.Auth - jwt «eyJhbGciOiJIUzI1NiJ9.eyJ{alnum:44}.{alnum:43}»",
    "Server=db-{digits:1};Database=shop;User Id=shop;Password=«{alnum:20}»;Encrypt=true;TrustServerCertificate=false",
    "2026-03-14T09:26:53Z INFO  [http-7] c.e.shop.Registry - npm publish with «npm_{alnum:36}» to the registry",
    "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=«{base64:86}==»;EndpointSuffix=core.windows.net",
    "Set-Cookie: session=«{alnum:40}»; Path=/; HttpOnly; Secure; SameSite=Lax",
)

# What the environment of a container in a cluster holds beside its secrets.
ENVIRONMENT: Final = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=shop-{hex:10}-{lower:5}",
    "HOME=/home/app",
    "LANG=C.UTF-8",
    "TZ=Europe/Berlin",
    "PYTHONUNBUFFERED=1",
    "PYTHON_VERSION=3.11.9",
    "GPG_KEY={upper:40}",
    "KUBERNETES_SERVICE_HOST=10.96.0.1",
    "KUBERNETES_SERVICE_PORT=443",
    "KUBERNETES_PORT=tcp://10.96.0.1:443",
    "KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1",
    "SHOP_DB_SERVICE_HOST=10.96.{digits:2}.7",
    "SHOP_DB_PORT_5432_TCP=tcp://10.96.{digits:2}.7:5432",
    "DB_HOST=db-{digits:1}.shop.svc.cluster.local",
    "DB_PORT=5432",
    "DB_USER=shop",
    "DB_NAME=shop",
    "DB_PASSWORD_FILE=/run/secrets/db-password",
    "REDIS_HOST=cache-{digits:1}.shop.svc.cluster.local",
    "LOG_LEVEL=info",
    "FEATURE_FLAGS=checkout-v2,search-beta,dark-mode",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://otel-collector.observability:4317",
    "OTEL_SERVICE_NAME=shop",
    "AWS_REGION=eu-west-1",
    "AWS_ROLE_ARN=arn:aws:iam::{digits:12}:role/shop",
    "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
    "GUNICORN_CMD_ARGS=--workers=4 --threads=8 --timeout=30",
    "TOKEN_TTL_SECONDS=3600",
    "ALLOWED_HOSTS=shop.example,www.shop.example",
    "BUILD_SHA={hex:40}",
    "BUILD_DATE=2026-03-12T18:04:11Z",
)
ENVIRONMENT_SECRETS: Final = (
    "DB_PASSWORD=«{alnum:24}»",
    "DATABASE_URL=postgresql://shop:«{alnum:20}»@db-1.shop.svc:5432/shop?sslmode=require",
    "REDIS_URL=redis://:«{alnum:24}»@cache-1.shop.svc:6379/0",
    "SECRET_KEY_BASE=«{hex:64}»",
    "DJANGO_SECRET_KEY=«{symbols:50}»",
    "STRIPE_API_KEY=«sk_live_{alnum:24}»",
    "GITHUB_TOKEN=«ghp_{alnum:36}»",
    "SMTP_PASSWORD=«{alnum:16}»",
    "JWT_SIGNING_SECRET=«{base64:44}»",
    "SLACK_BOT_TOKEN=«xoxb-{digits:12}-{digits:12}-{alnum:24}»",
    "AWS_SECRET_ACCESS_KEY=«{base64:40}»",
    "SENTRY_AUTH_TOKEN=«{hex:64}»",
)

COMMANDS: Final = (
    ("nginx", "-g", "daemon off;"),
    ("/usr/local/bin/gunicorn", "shop:app", "--workers", "4", "--bind", "0.0.0.0:8000", "--access-logfile", "-"),
    ("java", "-Xmx2g", "-XX:+UseG1GC", "-Dspring.profiles.active=prod", "-jar", "/srv/shop/shop-{digits:3}.jar"),
    ("java", "-Dspring.datasource.password=«{alnum:20}»", "-Dserver.port=8080", "-jar", "/srv/shop/shop.jar"),
    ("python3", "-m", "worker", "--queue", "mail", "--concurrency", "{digits:1}", "--name", "mail-{digits:2}"),
    ("python3", "-m", "worker", "--broker", "amqp://shop:«{alnum:18}»@mq-1:5672/shop", "--queue", "mail"),
    ("mysql", "-h", "db-1.internal", "-u", "shop", "-p«{alnum:16}»", "shop"),
    ("redis-server", "*:6379", "--requirepass", "«{alnum:24}»", "--appendonly", "yes"),
    ("curl", "-s", "-H", "Authorization: Bearer «{alnum:48}»", "https://api.example/v1/items?page={digits:2}"),
    ("curl", "-u", "admin:«{alnum:18}»", "https://registry.example/v2/_catalog"),
    ("sh", "-c", "PGPASSWORD=«{alnum:18}» pg_dump -h db-1 -U shop shop | gzip > /backup/{digits:8}.sql.gz"),
    ("postgres", "-D", "/var/lib/postgresql/data", "-c", "max_connections=200", "-c", "shared_buffers=512MB"),
    ("node", "--max-old-space-size=2048", "/srv/web/server.js", "--port=3000", "--session-secret=«{hex:32}»"),
    ("docker-entrypoint.sh", "rabbitmq-server"),
    ("envoy", "-c", "/etc/envoy/envoy.yaml", "--service-cluster", "shop", "--log-level", "info", "--concurrency", "2"),
    ("kubelet", "--config=/var/lib/kubelet/config.yaml", "--node-ip=10.4.{digits:2}.7", "--v=2"),
)

YAML_FILES: Final = (
    "server:\n  port: 8080\n  address: 0.0.0.0\n  shutdown: graceful\n  compression: true",
    "datasource:\n  url: jdbc:postgresql://db-{digits:1}:5432/shop\n  username: shop\n  password: «{alnum:20}»\n  pool: 20",
    'cache:\n  host: cache-{digits:1}.internal\n  port: 6379\n  ttl_seconds: {digits:3}\n  auth: "«{alnum:24}»"',
    "logging:\n  level: info\n  format: json\n  fields:\n    - trace_id\n    - span_id\n    - user_id",
    "payment:\n  provider: example\n  endpoint: https://pay.example/v2\n  api_key: «{hex:40}»\n  timeout: 5s",
    "features:\n  checkout_v2: true\n  search_beta: false\n  token_bucket:\n    rate: {digits:3}\n    burst: {digits:2}",
    "mail:\n  host: smtp.example\n  port: 587\n  user: noreply@shop.example\n  password: '«{symbols:18}»'\n  starttls: true",
    "oauth:\n  issuer: https://login.example\n  client_id: {lower:20}\n  client_secret: «{alnum:40}»\n  scopes: [openid, email]",
    "resources:\n  requests: {cpu: 250m, memory: 256Mi}\n  limits: {cpu: '1', memory: 512Mi}",
    "image:\n  repository: registry.example/shop/web\n  tag: v1.{digits:2}.0\n  digest: sha256:{hex:64}\n  pullPolicy: IfNotPresent",
    "env:\n  - name: TZ\n    value: Europe/Berlin\n  - name: API_TOKEN\n    value: «{alnum:32}»\n  - name: WORKERS\n    value: '4'",
    "ingress:\n  hosts:\n    - shop.example\n    - www.shop.example\n  tls:\n    secretName: shop-tls\n  path: /",
)

PROPERTIES: Final = (
    "# generated {digits:8}",
    "server.port=8080",
    "server.servlet.context-path=/shop",
    "spring.application.name=shop",
    "spring.datasource.url=jdbc:mysql://db-{digits:1}:3306/shop?useSSL=true&connectTimeout=3000",
    "spring.datasource.username=shop",
    "spring.datasource.password=«{alnum:20}»",
    "spring.datasource.hikari.maximum-pool-size=20",
    "spring.rabbitmq.host=mq-{digits:1}.internal",
    "spring.rabbitmq.password=«{alnum:18}»",
    "spring.mail.host=smtp.example",
    "spring.mail.password = «{symbols:16}»",
    "management.endpoints.web.exposure.include=health,info,prometheus",
    "logging.level.root=INFO",
    "logging.level.com.example.shop.security.TokenFilter=DEBUG",
    "shop.payment.api-key=«{hex:40}»",
    "shop.payment.endpoint=https://pay.example/v2/charges",
    "shop.jwt.secret=«{base64:44}»",
    "shop.jwt.expiry-seconds=3600",
    "shop.password.min-length=12",
    "shop.keystore.path=/etc/shop/keystore.p12",
    "shop.keystore.password=«{alnum:16}»",
    "shop.features.checkout-v2=true",
    "shop.build.revision={hex:40}",
)
