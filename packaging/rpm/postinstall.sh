# After unpacking, on installation and on upgrade. The timer is enabled by the administrator.
[ -e /etc/relexport/conf.d ] || install -d -m 0755 /etc/relexport/conf.d
for folder in /var/lib/relexport /var/backups/relexport; do
	[ -e "$folder" ] || install -d -o relexport -g relexport -m 0750 "$folder"
done
[ -e /run/relexport ] || install -d -o relexport -g relexport -m 0755 /run/relexport
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload >/dev/null 2>&1 || :
fi
