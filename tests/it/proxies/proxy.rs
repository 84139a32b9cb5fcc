//! The four proxies, each run on the files of its example.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::packages::python_tool;
use crate::process::until;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proxy {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

impl Proxy {
    pub const ALL: [Self; 4] = [Self::Nginx, Self::Caddy, Self::Traefik, Self::Envoy];

    /// The directory of the example, and the files that are run.
    fn files(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Nginx => ("examples/nginx", &["mcp.conf"]),
            Self::Caddy => ("examples/caddy", &["Caddyfile"]),
            Self::Traefik => ("examples/traefik", &["traefik.yml", "mcp.yml"]),
            Self::Envoy => ("examples/envoy", &["envoy.yaml"]),
        }
    }

    /// What its reader replaces in the files, too.
    fn replacements(self, places: &Places) -> Vec<(&'static str, String)> {
        let Places { port, countersign, server, .. } = places;
        let certificate = places.tls.join("tls.crt").display().to_string();
        let key = places.tls.join("tls.key").display().to_string();
        let mut all = vec![
            ("127.0.0.1:8080", format!("127.0.0.1:{countersign}")),
            ("RESOURCE_ID", places.resource_id.clone()),
            ("RESOURCE_CREDENTIALS", places.credentials.clone()),
        ];
        if self == Self::Caddy {
            // It would get a certificate by itself, open port 80, and be administered at a port.
            let quiet = "{\n\tadmin off\n\tpersist_config off\n\tauto_https disable_redirects\n}\n";
            let site = format!("{quiet}https://127.0.0.1:{port} {{\n\ttls {certificate} {key}");
            all.push(("mcp.example.com {", site));
        } else {
            all.push(("/etc/ssl/mcp.example.com.crt", certificate));
            all.push(("/etc/ssl/private/mcp.example.com.key", key));
        }
        if self == Self::Envoy {
            all.push((
                "address: 0.0.0.0, port_value: 443",
                format!("address: 127.0.0.1, port_value: {port}"),
            ));
            all.push(("port_value: 8080", format!("port_value: {countersign}")));
            all.push(("port_value: 3000", format!("port_value: {server}")));
        } else {
            all.push(("127.0.0.1:3000", format!("127.0.0.1:{server}")));
        }
        match self {
            Self::Nginx => all.push(("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl"))),
            Self::Traefik => all.push(("\":443\"", format!("127.0.0.1:{port}"))),
            Self::Caddy | Self::Envoy => {}
        }
        all
    }

    /// It writes nothing but into its directory.
    fn command(self, dir: &Path) -> Command {
        let (mut command, args) = match self {
            Self::Nginx => {
                std::fs::write(dir.join("nginx.conf"), AROUND_NGINX).unwrap();
                (Command::new(nginx()), "-e stderr -p . -c nginx.conf")
            }
            Self::Caddy => (python_tool("caddy"), "run --config Caddyfile --adapter caddyfile"),
            Self::Traefik => (python_tool("traefik"), "--configFile=traefik.yml"),
            Self::Envoy => {
                let args = "-c envoy.yaml --concurrency 1 --disable-hot-restart --log-level error";
                (python_tool("envoy"), args)
            }
        };
        command.args(args.split(' ')).current_dir(dir);
        command.env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
        command
    }
}

/// What Debian's nginx.conf has around the files of conf.d, but all in one process and directory.
const AROUND_NGINX: &str = "daemon off; master_process off; pid nginx.pid; error_log stderr; events {}\n\
    http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
    uwsgi_temp_path uwsgi; scgi_temp_path scgi; include mcp.conf; }\n";

/// Debian's, or what `scripts/test` has unpacked of it.
fn nginx() -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/nginx/usr/sbin/nginx");
    let places = [PathBuf::from("/usr/sbin/nginx"), unpacked];
    places.into_iter().find(|path| path.exists()).expect("run ./scripts/test: it fetches nginx")
}

/// What the files are told: where everything is, and as which resource.
pub struct Places {
    /// Where the proxy listens.
    pub port: u16,
    pub countersign: u16,
    pub server: u16,
    pub resource_id: String,
    /// Base64, as in HTTP Basic.
    pub credentials: String,
    /// A directory with `tls.crt` and `tls.key`.
    pub tls: PathBuf,
}

/// A running proxy.
pub struct Running {
    pub proxy: Proxy,
    /// The resource identifier of the server behind it, where it also is.
    pub url: String,
    pub resource_id: String,
    child: Child,
    dir: TempDir,
}

impl Running {
    /// `http` trusts the proxies' certificate.
    pub async fn start(proxy: Proxy, places: &Places, http: &reqwest::Client) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (example, files) = proxy.files();
        let replacements = proxy.replacements(places);
        let mut unused: Vec<&str> = replacements.iter().map(|(placeholder, _)| *placeholder).collect();
        for file in files {
            let mut text = std::fs::read_to_string(Path::new(example).join(file)).unwrap();
            for (placeholder, value) in &replacements {
                unused.retain(|name| name != placeholder || !text.contains(name));
                text = text.replace(placeholder, value);
            }
            std::fs::write(dir.path().join(file), text).unwrap();
        }
        assert!(unused.is_empty(), "{example} no longer has {unused:?}");
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = proxy.command(dir.path());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let url = format!("https://127.0.0.1:{}/mcp", places.port);
        let this = Self { proxy, url, resource_id: places.resource_id.clone(), child, dir };
        // Traefik listens before it has read its certificate and its routes.
        let answers = async || http.get(&this.url).send().await.is_ok_and(|answer| answer.status() != 404);
        until(&format!("{proxy:?} answers"), answers).await;
        this
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("log"));
            eprintln!("{:?}:\n{}", self.proxy, log.unwrap_or_default());
        }
    }
}
