//! The servers that stand in for clouds, each with a bucket `nightly`. `fixtures/install-tools` installs them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::*;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const SECRET: &str = "wJalrXUtnFEMIbPxRfiCYzEXAMPLEKEY";

/// Azurite's own account, which is the same everywhere.
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server that runs, killed when the test is over.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// Where s3s-fs keeps objects, as files under their keys.
    pub(crate) root: Dir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tool(name: &str) -> PathBuf {
    let path = project("target/bucket-tools").join(name);
    assert!(
        path.exists(),
        "{} is missing: run fixtures/install-tools",
        path.display()
    );
    path
}

/// A port that nobody has, as far as anybody can know.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn start(program: &Path, arguments: impl Fn(u16, &Path) -> Vec<String>, root: Dir) -> Server {
    start_with(program, arguments, root, &[])
}

/// As [`start`], with more variables.
fn start_with(
    program: &Path,
    arguments: impl Fn(u16, &Path) -> Vec<String>,
    root: Dir,
    variables: &[(&str, String)],
) -> Server {
    let port = free_port();
    let child = Command::new(program)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .args(arguments(port, root.path()))
        .current_dir(root.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("a server listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Server { child, port, root }
}

/// s3s-fs: checks keys and MD5s, and heeds conditions.
pub(crate) fn s3s() -> Server {
    let root = Dir::new();
    fs::create_dir(root.join("nightly")).unwrap();
    start(&tool("bin/s3s-fs"), s3s_arguments, root)
}

impl Server {
    /// The same objects, of a server that is started at another time: it refuses requests that are far from its own.
    pub(crate) fn started_at(mut self, time: &str) -> Server {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let root = std::mem::replace(&mut self.root, Dir::new());
        let faked = faked_time(time).expect("libfaketime is there (fixtures/install-tools)");
        start_with(&tool("bin/s3s-fs"), s3s_arguments, root, &faked)
    }
}

fn s3s_arguments(port: u16, root: &Path) -> Vec<String> {
    let port = port.to_string();
    let root = root.display().to_string();
    let fixed = [
        "--host",
        "127.0.0.1",
        "--access-key",
        KEY,
        "--secret-key",
        SECRET,
    ];
    let fixed = fixed.iter().map(|it| (*it).to_owned());
    fixed.chain(["--port".to_owned(), port, root]).collect()
}

/// A server that is a program of Python's.
pub(super) fn of_python(name: &str, arguments: impl Fn(u16, &Path) -> Vec<String>) -> Server {
    start(&tool(&format!("venv/bin/{name}")), arguments, Dir::new())
}

/// nanio: writes over what is there, whatever the conditions.
pub(super) fn nanio() -> Server {
    let root = Dir::new();
    let options = root.write(
        "nanio.toml",
        format!("[server]\n\n[[users]]\naccess_key = \"{KEY}\"\nsecret_key = \"{SECRET}\"\n"),
    );
    let arguments = |port: u16, root: &Path| {
        let data = root.join("data").display().to_string();
        let words = [
            "serve",
            "--no-access-log",
            "--host",
            "127.0.0.1",
            "--options",
        ];
        let words = words.iter().map(|it| (*it).to_owned());
        let rest = [
            options.display().to_string(),
            "--port".to_owned(),
            port.to_string(),
        ];
        words
            .chain(rest)
            .chain(["--data-dir".to_owned(), data])
            .collect()
    };
    start(&tool("venv/bin/nanio"), arguments, root)
}

/// Azurite.
pub(super) fn azurite() -> Server {
    let arguments = |port: u16, root: &Path| {
        let port = port.to_string();
        let words = [
            "--silent",
            "--skipApiVersionCheck",
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
        ];
        let words = words.iter().map(|it| (*it).to_owned());
        words
            .chain([port, "--location".to_owned(), root.display().to_string()])
            .collect()
    };
    start(
        &tool("azurite/node_modules/.bin/azurite-blob"),
        arguments,
        Dir::new(),
    )
}

/// The settings of a server that speaks S3.
pub(super) fn s3_settings(port: u16) -> Vec<(&'static str, String)> {
    let words = [
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "us-east-1"),
    ];
    let endpoint = ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
    let words = words.map(|(name, value)| (name, value.to_owned()));
    words.into_iter().chain([endpoint]).collect()
}

/// The settings of Azurite.
pub(super) fn azure_settings(port: u16) -> Vec<(&'static str, String)> {
    let endpoint = format!("http://127.0.0.1:{port}/devstoreaccount1");
    vec![
        ("AZURE_STORAGE_ACCOUNT", "devstoreaccount1".to_owned()),
        ("AZURE_STORAGE_KEY", AZURITE_KEY.to_owned()),
        ("AZURE_STORAGE_ENDPOINT", endpoint),
        ("AZURE_ALLOW_HTTP", "true".to_owned()),
    ]
}

/// A run with the settings of a server that speaks S3.
pub(crate) fn with_s3(program: Program, port: u16) -> Program {
    with(program, s3_settings(port))
}

/// A run with the settings of Azurite.
pub(super) fn with_azure(program: Program, port: u16) -> Program {
    with(program, azure_settings(port))
}

fn with(program: Program, settings: Vec<(&'static str, String)>) -> Program {
    settings
        .into_iter()
        .fold(program, |program, (name, value)| program.env(name, value))
}

/// Makes a bucket on a server that speaks S3, by another client than ours.
pub(super) fn make_s3_bucket(port: u16) {
    let script = format!(
        "import boto3\nboto3.client('s3', endpoint_url='http://127.0.0.1:{port}', aws_access_key_id='{KEY}', \
         aws_secret_access_key='{SECRET}', region_name='us-east-1').create_bucket(Bucket='nightly')"
    );
    let made = Command::new(tool("venv/bin/python"))
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// Makes a container in Azurite, by a request that is signed as its documentation says.
pub(super) fn make_container(port: u16) {
    let script = format!(
        "import base64,hashlib,hmac,urllib.request,email.utils\n\
         date=email.utils.formatdate(usegmt=True)\n\
         text='PUT\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\nx-ms-date:'+date+'\\nx-ms-version:2021-12-02\\n/devstoreaccount1/devstoreaccount1/nightly\\nrestype:container'\n\
         key=base64.b64decode('{AZURITE_KEY}')\n\
         sig=base64.b64encode(hmac.new(key,text.encode(),hashlib.sha256).digest()).decode()\n\
         req=urllib.request.Request('http://127.0.0.1:{port}/devstoreaccount1/nightly?restype=container',method='PUT',\
         headers={{'x-ms-date':date,'x-ms-version':'2021-12-02','Authorization':'SharedKey devstoreaccount1:'+sig}})\n\
         urllib.request.urlopen(req)"
    );
    let made = Command::new("python3")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

impl Server {
    /// The prefixes of exports below `nightly/gitlab`, of a server that keeps objects as files.
    pub(super) fn exports(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(self.root.join("nightly/gitlab")) else {
            return Vec::new();
        };
        let mut exports: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
        exports.sort();
        exports
    }

    /// The only export.
    pub(super) fn export(&self) -> ExportFolder {
        let exports = self.exports();
        assert_eq!(exports.len(), 1, "{exports:?}");
        ExportFolder::new(&exports[0])
    }
}
