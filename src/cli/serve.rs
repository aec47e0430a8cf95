//! `relexport serve`: GitLab's export API over a snapshot.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

use super::args::{PrefetchArg, ServeArgs};
use super::console::Console;
use super::exit::{Exit, Failure};
use super::kinds;
use super::setup;
use crate::api::{Engine, ServeOptions, ServedKinds, TlsFiles, serve};
use crate::output::GzipLevel;

/// Runs the command.
pub(crate) fn run(args: &ServeArgs, console: &Console) -> Result<Exit, Failure> {
    let options = options(args)?;
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let root = options.relative_url_root.clone();
    let has_tokens = options.token_file.is_some();
    serve(options, |address: SocketAddr| {
        let url = format!("{scheme}://{address}{root}/");
        console.info(&format!("serving at {url}"), json!({ "url": url }));
        if !has_tokens {
            console.info(
                "without --token-file whoever can reach this machine's loopback address may export everything",
                json!({ "tokens": false }),
            );
        }
    })?;
    Ok(Exit::Success)
}

/// What is served: by the given pipelines, or by the built-in ones of groups and projects.
fn served_kinds(files: &[PathBuf]) -> Result<ServedKinds, Failure> {
    let kinds = kinds::all_kinds(files)?.into_iter();
    let pipelines = kinds.map(|kind| kind.pipeline).collect();
    ServedKinds::new(pipelines).map_err(|error| Failure::usage(error.to_string()))
}

fn options(args: &ServeArgs) -> Result<ServeOptions, Failure> {
    if let Some((option, ..)) = args.snapshot.server.databases.given().next() {
        return Err(Failure::usage(format!(
            "cannot serve with {option}: a server reads one snapshot\n  \
             name a backup, whose databases are found in it, or take a snapshot of all: relexport snapshot take"
        )));
    }
    Ok(ServeOptions {
        engine: Engine {
            snapshot: args.snapshot.snapshot.clone(),
            fingerprint: args.snapshot.snapshot.fingerprint().unwrap_or_default(),
            data: args.data.clone(),
            kinds: served_kinds(&args.snapshot.pipeline)?,
            edition: setup::edition(args.edition),
            allow_missing: args.snapshot.allow_missing,
            // clap has checked the range.
            gzip_level: GzipLevel::new(args.gzip_level).unwrap_or_default(),
            limits: setup::limits(args.limits.memory_limit, &args.snapshot.server),
            pool: setup::pool(&args.limits)?,
            gitlab_version: args.gitlab_version.clone(),
            source_url: args.source_url.clone(),
            pipe_silence: setup::pipe_silence(&args.snapshot.server),
        },
        data: args.data.clone(),
        listen: args.listen,
        relative_url_root: relative_url_root(&args.relative_url_root)?,
        external_url: args.external_url.clone(),
        token_file: args.token_file.clone(),
        tls: match (&args.tls_cert, &args.tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
            }),
            _ => None,
        },
        batch_size: args.batch_size,
        prefetch: args.prefetch == PrefetchArg::Family,
        prepare: args.prepare.clone(),
        jobs: usize::from(args.jobs),
        queue: args.queue,
        max_connections: usize::from(args.max_connections),
        client_timeout: Some(args.client_timeout).filter(|time| !time.is_zero()),
    })
}

/// `/gitlab` of `gitlab/` and the like; empty for the root.
fn relative_url_root(argument: &str) -> Result<String, Failure> {
    let root = argument.trim_matches('/');
    let is_plain = root.split('/').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    });
    match root {
        "" => Ok(String::new()),
        root if is_plain => Ok(format!("/{root}")),
        root => Err(Failure::usage(format!(
            "cannot serve below /{root}\n  name a path of letters, digits, - and _ with --relative-url-root"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_roots_have_one_form() {
        let root = |text| relative_url_root(text).ok();
        assert_eq!(root("/").as_deref(), Some(""));
        assert_eq!(root("").as_deref(), Some(""));
        assert_eq!(root("gitlab/").as_deref(), Some("/gitlab"));
        assert_eq!(root("/a/b-c").as_deref(), Some("/a/b-c"));
        assert_eq!(root("/a//b"), None);
        assert_eq!(root("/{id}"), None);
        assert_eq!(root("/a b"), None);
    }
}
