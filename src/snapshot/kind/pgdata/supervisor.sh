# Runs a private server for as long as its own standard input is open: see server.rs.
#   $1  folder of PostgreSQL's programs
#   $2  folder with the copy and the server's settings, which is also the current one
# The server and its helpers are in the process group of this shell, which outlives the signals that they get.
trap '' HUP INT QUIT TERM
exec 3<&0 </dev/null
(
  # Ends when the program does, however that happens.
  cat <&3 >/dev/null 2>&1
  # Asked several times, since a signal is lost where one process has ended and the next one has not begun.
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -QUIT 0
    sleep 0.5
  done
  kill -KILL 0
) >/dev/null 2>&1 &
exec 3<&-
# By itself a server does not say who may do everything in it. In single-user mode nobody has to log in.
"$1/postgres" --single -D "$2/data" -c config_file="$2/postgresql.conf" template1 \
  <question >answer.part 2>>server.log &&
  mv answer.part answer &&
  "$1/postgres" -D "$2/data" -c config_file="$2/postgresql.conf" >>server.log 2>&1
kill -KILL 0
