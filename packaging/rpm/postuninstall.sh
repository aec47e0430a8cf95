# After files are removed ($1 is 0) or replaced (1). Exports, history and user relexport stay. An export that is under
# way goes on with the program that it began with, so the service is left alone.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload >/dev/null 2>&1 || :
	if [ "$1" -ge 1 ]; then
		systemctl try-restart relexport.timer >/dev/null 2>&1 || :
	fi
fi
