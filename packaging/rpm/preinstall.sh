# Before files are unpacked, on installation and on upgrade: the user that some of them will belong to.
getent group relexport >/dev/null || groupadd -r relexport
getent passwd relexport >/dev/null ||
	useradd -r -g relexport -d /var/lib/relexport -M -s /sbin/nologin -c "relexport, exports every night" relexport
