# Before files are removed ($1 is 0) or replaced by those of another version (1).
if [ "$1" -eq 0 ] && [ -d /run/systemd/system ]; then
	# A night under way ends as by Ctrl-C: nothing half-made has its final name.
	systemctl disable --now relexport.timer >/dev/null 2>&1 || :
	systemctl stop relexport.service >/dev/null 2>&1 || :
fi
