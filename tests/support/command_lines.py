"""Command lines of programs as their manuals have them: those with a secret (@@), and those without one."""

from __future__ import annotations

from typing import Final

# Split as a shell splits them.
WITH_SECRET: Final = tuple(
    r"""psql "host=db user=bob password=@@ dbname=x"
env PGPASSWORD=@@ psql
mysql --user=root --password=@@
mysql -uroot -p@@
mongosh --username bob --password @@ --host db
mongo -u bob -p@@
redis-cli -a @@
redis-cli AUTH @@
redis-cli AUTH bob @@
redis-cli -h r --pass @@ --user bob PING
redis-cli CONFIG SET requirepass @@
valkey-cli -a @@ ping
cqlsh -u cass -p @@ host
cqlsh -ucass -p@@
sqlplus bob/@@@ORCL
sqlplus -s bob/@@@//db:1521/x
sqlplus -S system/@@
sqlcmd -S h -U sa -P@@
sqlcmd -S h -U sa -P @@ -Q "select 1"
bcp db.dbo.t out f -S s -U sa -P @@
isql DSN bob @@
clickhouse-client --user u --password @@
influx -username a -password @@
influx auth create -t @@
cockroach sql --url "postgresql://root:@@@h:26257/db"
mssql-cli -S h -U sa -P @@
impala-shell -u bob -l --ldap_password_cmd='printf @@'
beeline -u jdbc:hive2://h:10000 -n bob -p @@
snowsql -a acc -u bob --password @@
bq --access_token=@@ ls
rclone obscure @@
rclone config create r webdav url=https://h user=bob pass=@@
restic --password-command "echo @@" backup /
BORG_PASSPHRASE=@@ borg create
env BORG_PASSPHRASE=@@ borg create ::x /
duplicity --encrypt-key K --sign-key S /x ftp://bob:@@@h/x
mc alias set NAME https://h ACCESSKEYxx @@
mc admin user add a user1 @@
s3cmd --secret_key @@ ls
aws configure set aws_secret_access_key @@
aws configure set default.aws_secret_access_key @@
lftp -u bob,@@ sftp://h
lftp -c "open -u bob,@@ ftp.example; mirror"
ncftpput -u bob -p @@ h / f
wget --user=bob --password=@@ https://h
wget --http-user bob --http-password @@ https://h
wget --header="Authorization: Bearer @@" https://h
wget --header "X-Api-Key: @@" https://h
curl -u bob:@@ h
curl --user=bob:@@ h
curl -U bob:@@ -x p:3128 h
curl -H "X-Auth-Token: @@" h
curl -H"Authorization: Bearer @@" h
curl -b "session=@@" h
curl -d "user=bob&password=@@" h
curl --data '{"user":"bob","password":"@@"}' h
curl --data-urlencode "password=@@" h
curl -E cert.pem:@@ h
curl -F password=@@ h
curl -sku bob:@@ h
curl -X POST -sS -u bob:@@ h
http -a bob:@@ h
http POST h X-API-Key:@@
http POST h password=@@
aria2c --http-user=b --http-passwd=@@ h
aria2c --rpc-secret=@@
docker login -u b -p @@
docker login --password=@@ -u b
docker -H tcp://h login -u b -p@@ r
podman login --creds bob:@@ r
podman push --creds=bob:@@ i r
buildah push --creds bob:@@ i
skopeo copy --dest-creds bob:@@ a b
skopeo login -u b -p @@ r
helm registry login r -u b -p @@
helm upgrade a b --set a.password=@@
helm upgrade a b --set a=1,b.password=@@
oras login -u b -p @@ r
crane auth login r -u b -p @@
npm config set //registry.npmjs.org/:_authToken @@
npm config set //registry.npmjs.org/:_authToken=@@
twine upload -u __token__ -p @@ dist/x
pip install --index-url https://bob:@@@pypi.x/simple p
pip install --extra-index-url=https://bob:@@@pypi.x/simple p
poetry config http-basic.foo bob @@
poetry config pypi-token.pypi @@
poetry publish -u bob -p @@
cargo login @@
cargo publish --token @@
nuget push x.nupkg -ApiKey @@ -Source s
nuget sources add -Name n -Source s -Username u -Password @@
nuget setApiKey @@
dotnet nuget push x -k @@ -s u
dotnet nuget add source u -n n -u bob -p @@
dotnet publish -p:Password=@@
mvn deploy -Dgpg.passphrase=@@
mvn --encrypt-password @@
gradle publish -PossrhPassword=@@
gradle -Psigning.password=@@ build
sshpass -p @@ ssh h
sshpass -p@@ ssh h
plink -pw @@ bob@h
pscp -l bob -pw @@ f h:
putty.exe -ssh bob@h -pw @@
xfreerdp /u:bob /p:@@ /v:h
xfreerdp /u:bob /password:@@ /v:h
rdesktop -u bob -p @@ h
smbclient //h/s -U bob%@@
smbclient -U 'DOM\bob%@@' //h/s
smbclient //h/s @@ -U bob
net use X: '\\h\s' @@ /user:bob
net use X: '\\h\s' /user:bob @@
winexe -U DOM/bob%@@ //h cmd
psexec '\\h' -u bob -p @@ cmd
PsExec64.exe '\\h' -u bob -p @@ cmd
ldapsearch -x -D cn=a -w @@ -b dc=x
ldapsearch -x -D cn=a -w@@ -b dc=x
ldappasswd -s @@ -w @@ -D cn=a uid=b
snmpwalk -v2c -c @@ h
snmpwalk -v3 -u bob -l authPriv -a SHA -A @@ -x AES -X @@ h
ipmitool -I lanplus -H h -U ADMIN -P @@ power on
ipmitool user set password 2 @@
openssl rsa -passin pass:@@ -in k
openssl pkcs12 -export -passout pass:@@ -in c
openssl enc -aes-256-cbc -k @@ -in f
openssl enc -aes-128-cbc -K @@ -iv 00
openssl enc -aes-256-cbc -pass pass:@@
keytool -importkeystore -srcstorepass @@ -deststorepass @@
keytool -genkey -keypass @@ -storepass @@
jarsigner -storepass @@ x.jar a
gpg --batch --passphrase @@ -c f
gpg --batch --passphrase=@@ -c f
7z a -p@@ x.7z f
7z x x.7z -p@@
zip -P @@ x f
zip -er -P @@ x f
unzip -P @@ x
rar a -hp@@ x f
rar a -p@@ x f
qpdf --encrypt @@ owner1X 256 -- a b
qpdf --password=@@ --decrypt a b
pdftk a output b user_pw @@
pdftotext -upw @@ a
ansible-playbook p.yml --extra-vars "db_password=@@"
ansible-playbook p.yml -e db_password=@@
ansible-playbook p.yml -e '{"db_password":"@@"}'
ansible all -m shell -e ansible_become_pass=@@
ansible-vault encrypt_string @@ --name x
terraform apply -var db_password=@@
terraform apply -var='db_password=@@'
terraform init -backend-config=secret_key=@@
vault login @@
vault login token=@@
vault login -method=userpass username=b password=@@
vault kv put secret/x password=@@
vault operator unseal @@
vault write auth/approle/login role_id=x secret_id=@@
VAULT_TOKEN=@@ vault kv get x
consul kv get -token=@@ x
consul members -token @@
nomad job run -token=@@ x
kubectl create secret generic x --from-literal=password=@@
kubectl create secret docker-registry x --docker-password=@@
kubectl --token=@@ get po
kubectl config set-credentials u --token=@@
kubeadm join h:6443 --token @@ --discovery-token-ca-cert-hash sha256:abc
k3s agent --server https://h --token @@
docker run -e DB_PASSWORD=@@ img
docker run --env DB_PASSWORD=@@ img
docker run -eDB_PASSWORD=@@ img
docker exec -e TOKEN=@@ c cmd
docker service create --env API_SECRET=@@ x
docker swarm join --token @@ h:2377
systemd-run --setenv=DB_PASSWORD=@@ cmd
systemd-run -E DB_PASSWORD=@@ cmd
useradd -m -p @@ bob
usermod -p @@ bob
usermod --password @@ bob
htpasswd -b f bob @@
htpasswd -bc f bob @@
htpasswd -nb bob @@
htpasswd -nbB bob @@
mkpasswd -m sha-512 @@
sh -c "echo @@ | cryptsetup luksOpen /dev/sdb x"
wpa_passphrase SSID @@
nmcli dev wifi connect SSID password @@
nmcli con modify x wifi-sec.psk @@
iwconfig wlan0 key s:@@
git clone https://bob:@@@h/r
git clone https://oauth2:@@@gitlab.example/r
git -c http.extraHeader="Authorization: Bearer @@" fetch
sh -c "echo @@ | gh auth login --with-token"
gh secret set FOO --body @@
gh secret set FOO -b@@
glab auth login --token @@
swaks --to a --auth-user b --auth-password @@
swaks --to a -au b -ap @@
sendemail -f a -xu b -xp @@
mailx -S smtp-auth-password=@@ -s x b
mutt -e "set smtp_pass=@@"
ffmpeg -i rtsp://bob:@@@cam/1 o.mp4
sh -c "echo @@ | openconnect --passwd-on-stdin vpn"
openconnect --cookie=@@ vpn
java -Ddb.password=@@ -jar x
java -Dspring.datasource.password=@@ -jar x
java -javaagent:/a.jar=key=1,license_key=@@ -jar x
java -Djasypt.encryptor.password=@@ -jar a
node app.js --db-password @@
php -d mysqli.default_pw=@@ x.php
celery -A p -b redis://:@@@h:6379/0 worker
celery -A p --broker=amqp://u:@@@h// worker
uwsgi --set password=@@
spark-submit --conf spark.x.password=@@ a.jar
spark-submit --conf spark.hadoop.fs.s3a.secret.key=@@ a.jar
flink run -Dsecurity.ssl.key-password=@@ a
kafka-console-producer --producer-property ssl.key.password=@@
kafka-configs --add-config "SCRAM-SHA-256=[password=@@]" --entity-type users
hadoop fs -Dfs.s3a.secret.key=@@ -ls x
sqoop import --connect jdbc:mysql://h/d --username b --password @@
airflow users create -u b -p @@ -r Admin
superset fab create-admin --password @@
rabbitmqadmin -u b -p @@ list queues
rabbitmqctl add_user bob @@
rabbitmqctl change_password bob @@
mosquitto_pub -h h -u b -P @@ -t x -m y
nats --user b --password @@ pub x y
tailscale up --authkey @@
tailscale up --auth-key=@@
cloudflared tunnel run --token @@
ngrok authtoken @@
ngrok config add-authtoken @@
flyctl deploy -t @@
heroku config:set API_KEY=@@
heroku config:set DB_PASSWORD=@@ -a app
vercel --token @@ deploy
netlify deploy --auth @@
doctl -t @@ compute
doctl auth init -t @@
gcloud --access-token @@ x
az login -u b -p @@
az login --service-principal -u x -p @@ --tenant t
az storage blob list --account-key @@
az storage blob list --sas-token @@
az sql server create -u a -p @@
az keyvault secret set --value @@ --name n
aws secretsmanager create-secret --name n --secret-string @@
aws rds create-db-instance --master-user-password @@
aws iam create-login-profile --user-name b --password @@
aws ssm put-parameter --name n --value @@ --type SecureString
pulumi config set --secret dbpw @@
pulumi config set dbPassword @@ --secret
bw unlock @@
bw login a@example.com @@
bw get item x --session @@
sh -c "echo @@ | pass insert -e x"
knife bootstrap h -x bob -P @@
salt-call --local user.add password=@@
nmap --script-args "smbuser=a,smbpass=@@" h
hydra -l bob -p @@ ssh://h
sqlmap --auth-cred=bob:@@ -u h
crackmapexec smb h -u b -p @@
secretsdump.py DOM/bob:@@@10.0.0.1
impacket-psexec DOM/bob:@@@host
evil-winrm -i h -u b -p @@
powershell -Command "ConvertTo-SecureString '@@' -AsPlainText -Force"
powershell -Command "ConvertTo-SecureString -String @@ -AsPlainText -Force"
cmd /c "net user bob @@ /add"
cmd.exe /c net user bob @@ /add
net user bob @@ /add
schtasks /create /tn x /ru bob /rp @@ /tr c
sc config svc obj= .\\bob password= @@
sc.exe create svc binPath= c password= @@
wmic /node:h /user:b /password:@@ os get
cmdkey /add:h /user:b /pass:@@
samba-tool user create bob @@
samba-tool user setpassword bob --newpassword=@@
kadmin -p admin -w @@ -q listprincs
sh -c "echo @@ | kinit bob"
sh -c "printf '%s' @@ | docker login --password-stdin -u b r"
sh -c "echo @@ | sudo -S ls"
sh -c "echo 'bob:@@' | chpasswd"
sh -c "echo @@ | passwd --stdin bob"
sh -c "docker login --password-stdin -u b r <<< '@@'"
bash -lc "export X=1; mysql -p'@@' db"
busybox sh -c "curl -u bob:@@ h"
su - bob -c "mysql -p@@ db"
ssh h "mysql -p@@ db"
ssh h mysql -p@@ db
sudo -u bob mysql -p@@ db
nohup timeout 5 redis-cli -a @@ ping
docker exec c sh -c "redis-cli -a @@ ping"
kubectl exec pod -- sh -c "redis-cli -a @@ ping"
kubectl exec pod -- redis-cli -a @@ ping
xargs -n1 curl -u bob:@@
watch -n 5 "mysqladmin -p@@ status"
watch -n 5 mysqladmin -p@@ status
screen -dm mysql -p@@
tmux new "mysql -p@@ db"
flock /tmp/l -c "mysql -p@@ db"
env -S "DB_PASSWORD=@@ app -x"
nice -n 5 mysql -p@@ db
strace -f mysql -p@@ db
parallel "mysql -p@@ -h {}" ::: a b
sh -c "mysql -p\$'@@' db"
sh -c "(mysql -p@@ db)"
sh -c "X=\$(mysql -p@@ db); echo"
sh -c "eval \"mysql -p'@@' db\""
sh -c "PGPASSWORD=@@ psql -h db"
tool --password @@
tool --Password @@
tool -password @@
tool --dbPassword=@@
tool --db.password @@
tool --client_secret @@
tool -clientSecret @@
tool /password:@@
tool /Password:@@
tool password=@@
tool --api-token @@
tool --bearer-token=@@
tool --auth-token @@
tool --secret @@
tool --passphrase @@
tool --basic-auth bob:@@
tool --connection-string "Server=h;User=b;Password=@@"
tool --dsn bob:@@@tcp(h:3306)/d
tool --url https://bob:@@@h/
tool --header "Authorization: Basic @@"
tool --header=X-Api-Key:@@
tool --json '{"api_key": "@@"}'
tool --config "api_key: @@"
tool '--password=@@'
tool --encryption-key @@
tool --access-key-secret @@
tool --webhook-secret @@
tool --smtp-password @@
tool --jwt-secret=@@
tool --cookie-secret=@@
tool --token @@
tool --kennwort @@
tool -s --pw @@
tool --pass @@
tool --passwd @@
tool --pwd @@""".splitlines()
)

HARMLESS: Final = tuple(
    r"""nginx: master process nginx -g daemon off;
nginx -g "daemon off; error_log /dev/stderr info;" -p /etc/nginx
docker run -p 8080:80 --rm --name shop-7f9c shop
docker run -p 127.0.0.1:5432:5432 -e POSTGRES_DB=shop postgres:16
docker run --name mysql -p 3306:3306 mysql:8
docker compose -p shop-prod2 up
ssh -p 2222 -i /root/.ssh/id_ed25519 bob@host1
scp -P 2222 f1 bob@host:/x
mysql -u root -p shop
mysql -u root -P 3307 -h db1 shop
mysqld --basedir=/usr --datadir=/var/lib/mysql --plugin-dir=/usr/lib/mysql/plugin --user=mysql --log-error=/var/log/mysql/error.log --pid-file=/run/mysqld/mysqld.pid
/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main -c config_file=/etc/postgresql/16/main/postgresql.conf
postgres: 16/main: checkpointer
postgres: app shop 10.0.0.7(51234) idle
psql -h db1 -p 5432 -U bob -W shop
redis-server *:6379
redis-cli -h r1 -p 6380 ping
java -Xmx512m -XX:+UseG1GC -Dserver.port=8080 -Dspring.profiles.active=prod1 -jar /opt/app/shop-1.2.3.jar
java -Djavax.net.ssl.keyStore=/etc/ks.jks -Dkey.file=/x -cp /a:/b com.example.Main2
java -Des.path.home=/usr/share/es -Dlog4j2.formatMsgNoLookups=true org.elasticsearch.bootstrap.Elasticsearch -p /var/run/es.pid -d
python3 -m http.server 8000
gunicorn shop.wsgi:application --bind 0.0.0.0:8000 --workers 4 --access-logfile - -u www-data -p /run/g1.pid
uwsgi --ini /etc/uwsgi/apps1.ini --uid www-data
celery -A shop worker -l info -Q q1,q2 --hostname=w1@%h
node --max-old-space-size=4096 /app/server.js --port 3000
/usr/sbin/sshd -D -e
sshd: bob@pts/0
kubelet --config=/var/lib/kubelet/config.yaml --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --pod-infra-container-image=registry.k8s.io/pause:3.9
kube-apiserver --advertise-address=10.0.0.1 --authorization-mode=Node,RBAC --client-ca-file=/etc/kubernetes/pki/ca.crt --service-account-key-file=/etc/kubernetes/pki/sa.pub --tls-private-key-file=/etc/kubernetes/pki/apiserver.key --token-auth-file=/x
kubectl -n mysql get pods -l app=web1
kubectl create secret tls web1 --cert=tls.crt --key=tls.key
kubectl exec -it web-7f9c8d-x2x4z -c app1 -- bash
helm upgrade shop1 ./chart --set replicas=2,image.tag=v1.2.3
containerd-shim-runc-v2 -namespace moby -id 4f5a2c7d9e1b3f608a2c4e6d8f0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2 -address /run/containerd/containerd.sock
git commit -m "Fix token refresh and curl -u handling"
git clone git@github.com:org/repo1.git
git log --author bob@example.com -n 5
grep -r password /etc/app1
grep -rn "mysql -u root" /srv/docs2
find / -name "*.key" -user root -perm 600
curl -sSf -o /dev/null -w %{http_code} https://x.example/healthz1
curl -u bob https://x.example
curl -H "Accept: application/json" -H "X-Request-Id: 4f5a2c7d" https://h1
wget -q -O - https://h/a1.tar.gz
openssl x509 -in c1.pem -noout -text
openssl rsa -passin env:KEY_PASS -in k.pem
openssl dgst -sha256 f1
openssl s_client -connect h:443 -servername web1.example
ldapsearch -x -s base -b dc=example -H ldap://h1
rsync -avz -e "ssh -p 2222" /a1 bob@h:/b
tar -czf /backup/x1.tgz -C /srv app
zip -r out1.zip in2
7z x in1.7z -o/tmp/out
ffmpeg -i in1.mp4 -c:v libx264 out2.mp4
tail -f /var/log/app1.log
sleep 3600
sh -c "while true; do date; sleep 5; done"
bash -c "set -euo pipefail; cd /srv/app1 && ./run --port 8080"
/bin/sh -c "/usr/bin/supercronic /etc/crontab1"
sudo -u www-data php artisan queue:work --tries=3
su - postgres -c "pg_dump -h db1 -p 5433 shop > /b/x1"
timeout 30 ping -c 3 host1
env LANG=C PATH=/usr/bin:/bin app1
xargs -n 1 -P 4 gzip
watch -n 5 "ls -l /tmp1"
ansible-playbook -i hosts1 site.yml --ask-vault-pass -u deploy1
ansible-playbook site.yml --vault-password-file /run/vp1
terraform apply -var region=eu-west-1 -auto-approve
aws s3 cp s3://bucket1/key2 /tmp/x --region eu-west-1
aws ssm get-parameter --name /app/db-password1 --with-decryption
aws configure set region eu-west-1
aws configure set default.output json
gcloud container clusters get-credentials prod-1 --zone europe-west1-b
az aks get-credentials -g rg1 -n aks1
npm config set registry https://registry.npmjs.org/
npm run build:prod1 -- --key value1
cargo build -p my-crate2 --release
pip install -r requirements1.txt
tool --config /etc/x1.yaml --log-level debug2
tool --user 1000:1000
tool --user www-data:www-data
tool -u bob -p 8080
tool -u bob -p 127.0.0.1:8080
tool -u bob -p /run/x1.pid
tool --token-ttl 3600 --max-tokens=4096
tool --password-file /run/secrets/pw1
tool --auth-method oidc --auth-type x1
tool --pin-memory true --otp-length 6
tool --key id1 --sort-key name2
tool --secret-name db-creds-1
tool --no-password --verbose
tool --password-stdin
tool --enable-token-auth true1
tool /etc/app1.conf
tool --image registry.example:5000/team/app:1.2.3@sha256:4f5a2c7d9e1b3f608a2c4e6d8f0a1b2c3d4e5f60718293a4b5c6d7e8f9a0b1c2
tool bob@example.com:/path1
promtail -config.file=/etc/p1.yml -client.external-labels=host=web1
prometheus --config.file=/etc/prometheus/p1.yml --storage.tsdb.path=/data --web.enable-lifecycle
grafana server --homepath=/usr/share/grafana1 --packaging=docker cfg:default.log.mode=console
haproxy -W -db -f /etc/haproxy/h1.cfg -p /run/haproxy1.pid
vault server -config=/vault/config1 -dev-listen-address=0.0.0.0:8200
vault agent -config=/etc/a1.hcl
consul agent -server -bootstrap-expect=3 -node=n1
net start Spooler1
cmd /c dir C:\\Temp1
powershell -ExecutionPolicy Bypass -File C:\\run1.ps1
systemctl restart app1.service
make -j4 test1
go test ./... -run TestPass1 -count=1
pytest -k test_password1 -p no:cacheprovider
vim /etc/passwd1
passwd bob1
useradd -m -s /bin/bash bob1
openvpn --config /etc/o1.ovpn --auth-user-pass /etc/o1.pass
stunnel /etc/stunnel1.conf
tini -- /app/server1 --http-port 8080
dumb-init node /srv/index1.js
s6-supervise web1
runsv nginx1
screen -dmS job1 ./run1.sh
tmux new -s work1
http GET h1 page==2
http POST h1 name=bob1 age:=29
ssh host1 uptime
ssh -L 5432:db1:5432 bob@bastion1
mount -t nfs -o vers=4.1,rw h1:/x /m
gh pr list -l bug1
echo password""".splitlines()  # noqa: E501 - a line is one command
)
