//! Waits for the outside: each ends after its time limit, with a message that names the option, and a signal is heard in it.

mod clients;
mod pipes;
mod printing;
mod proxy;
mod servers;
