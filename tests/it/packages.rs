//! The packages: what cannot be run here is linted, rendered and compared with the schemas of those who will run it.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::commands::text;
use crate::harness::TestApp;
use crate::process::Process;

const CHART: &str = "examples/kubernetes/countersign";
/// The version of the schemas that manifests are compared with.
const KUBERNETES: &str = "1.37.0";

/// A variable that scripts/test sets.
pub fn installed(variable: &str) -> PathBuf {
    let missing = format!("{variable} is not set: run ./scripts/test, which installs it");
    std::env::var_os(variable).filter(|path| !path.is_empty()).expect(&missing).into()
}

/// A command of the Python packages.
pub fn python_tool(name: &str) -> Command {
    Command::new(installed("TEST_PYTHON").with_file_name(name))
}

fn helm(args: &[&str]) -> Output {
    // It would read a user's settings.
    let home = tempfile::tempdir().unwrap();
    Command::new(installed("HELM")).args(args).env("HOME", home.path()).output().unwrap()
}

/// Runs a command that must find nothing.
fn passes(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = text(&out.stdout) + &text(&out.stderr);
    assert!(out.status.success(), "{command:?}\n{said}");
    said
}

fn rendered(args: &[&str]) -> String {
    let issuer = ["--set", "issuer=https://auth.example.com"];
    let out = helm(&[&["template", "prod", CHART], &issuer[..], args].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    text(&out.stdout)
}

/// YAML documents as JSON.
fn documents(yaml: &str) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("documents.yaml");
    std::fs::write(&file, yaml).unwrap();
    let script = "import json, sys, yaml\njson.dump([d for d in yaml.safe_load_all(open(sys.argv[1])) if d], sys.stdout)";
    let out = Command::new(installed("TEST_PYTHON")).args(["-c", script]).arg(&file).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn of_kind<'d>(documents: &'d [Value], kind: &str) -> &'d Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn packages_the_image_is_as_hadolint_wants_it() {
    passes(python_tool("hadolint").arg("Dockerfile"));
    let file = std::fs::read_to_string("Dockerfile").unwrap();
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    assert!(file.contains("--profile dist") && manifest.contains("[profile.dist]"));
    for line in ["USER 65532:65532", "CMD [\"countersign\", \"healthcheck\"]", "ENTRYPOINT [\"countersign\"]"]
    {
        assert!(file.contains(line), "{line}");
    }
}

/// Without Docker, only its form and what makes it safe can be looked at.
#[test]
fn packages_the_services_of_compose_can_write_nowhere_but_where_they_must() {
    let compose = documents(&std::fs::read_to_string("compose.yaml").unwrap()).remove(0);
    for name in ["countersign", "migrate"] {
        let service = &compose["services"][name];
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        for (variable, _) in service["environment"].as_object().unwrap() {
            assert!(variable.starts_with("COUNTERSIGN_"), "{variable}");
        }
    }
    let migrated = &compose["services"]["countersign"]["depends_on"]["migrate"]["condition"];
    assert_eq!(migrated, "service_completed_successfully");
}

#[test]
fn packages_the_workflows_are_as_actionlint_and_zizmor_want_them() {
    let mut workflows: Vec<PathBuf> =
        std::fs::read_dir(".github/workflows").unwrap().map(|entry| entry.unwrap().path()).collect();
    workflows.sort();
    assert!(workflows.len() >= 2);
    // Other linters that it would find on some machines only.
    passes(python_tool("actionlint").args(["-shellcheck=", "-pyflakes="]).args(&workflows));
    passes(python_tool("zizmor").args(["--offline", "--no-progress"]).args(&workflows));
    for workflow in workflows {
        let source = std::fs::read_to_string(&workflow).unwrap();
        for action in source.lines().filter_map(|line| line.split_once("uses: ")).map(|(_, action)| action) {
            let commit = action.split_once('@').unwrap().1.split(' ').next().unwrap();
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit && action.contains(" # v"), "{}: {action}", workflow.display());
        }
    }
}

#[test]
fn packages_the_chart_is_as_helm_and_kubernetes_want_it() {
    let lint = helm(&["lint", "--strict", CHART, "--set", "issuer=https://auth.example.com"]);
    assert!(lint.status.success(), "{}{}", text(&lint.stdout), text(&lint.stderr));
    let everything = [
        "--set",
        "tls.secretName=tls,podAnnotations.a=b,nodeSelector.a=b,imagePullSecrets[0].name=registry",
        "--set",
        "tolerations[0].key=a,tolerations[0].operator=Exists",
        "--set-file",
        "policies.grants\\.cedar=policies/grants.cedar",
    ];
    for args in [&[][..], &everything, &["--set", "replicas=1"]] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("manifests.yaml");
        std::fs::write(&file, rendered(args)).unwrap();
        let validate = ["--strict", "--kubernetes-version", KUBERNETES];
        let said = passes(python_tool("kubernetes-validate").args(validate).arg(&file));
        assert!(said.contains("deployment/prod-countersign"), "{said}");
    }
}

/// What the schemas of Kubernetes cannot tell.
#[test]
fn packages_the_chart_runs_two_safe_pods_that_migrate_first() {
    let policies = "policies.grants\\.cedar=policies/grants.cedar";
    let monitored = ["--set", "serviceMonitor.enabled=true,tls.secretName=tls", "--set-file", policies];
    let documents = documents(&rendered(&monitored));
    let pod = &of_kind(&documents, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["terminationGracePeriodSeconds"], 30);
    let (migrate, serve) = (&pod["initContainers"][0], &pod["containers"][0]);
    assert_eq!((&migrate["args"][0], &serve["args"][0]), (&"migrate".into(), &"serve".into()));
    for container in [migrate, serve] {
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    }
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(serve[probe]["httpGet"]["port"], "management", "{probe}");
    }
    assert_eq!(of_kind(&documents, "PodDisruptionBudget")["spec"]["minAvailable"], 1);
    let given = &of_kind(&documents, "ConfigMap")["data"]["grants.cedar"];
    let shipped = std::fs::read_to_string("policies/grants.cedar").unwrap();
    assert_eq!(given.as_str().unwrap().trim(), shipped.trim());
    // The monitor selects the service with the metrics, and that one only.
    let wanted =
        of_kind(&documents, "ServiceMonitor")["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let is_selected =
        |service: &&Value| wanted.iter().all(|(label, value)| &service["metadata"]["labels"][label] == value);
    let services = documents.iter().filter(|document| document["kind"] == "Service");
    let selected: Vec<&Value> = services.filter(is_selected).collect();
    assert_eq!(selected.len(), 1);
    assert_eq!(selected[0]["spec"]["ports"][0]["name"], "management");
}

#[test]
fn packages_the_chart_refuses_values_that_cannot_work() {
    for wrong in [
        "issuer=http://auth.example.com",
        "issuer=https://auth.example.com/",
        "replicas=0",
        "env.COUNTERSIGN_=x",
        "env.PATH=x",
        "image.digest=sha256:1",
        "secret=x",
    ] {
        let out =
            helm(&["template", "prod", CHART, "--set", "issuer=https://auth.example.com", "--set", wrong]);
        assert!(!out.status.success(), "{wrong}");
    }
}

/// Every variable that a package sets is one of the configuration.
#[test]
fn packages_set_variables_that_the_configuration_knows() {
    let known: Vec<String> =
        crate::docs::reference::configuration::keys().into_iter().map(|(_, variable)| variable).collect();
    let monitored =
        rendered(&["--set", "tls.secretName=tls", "--set-file", "policies.a\\.cedar=policies/grants.cedar"]);
    let mut seen = 0;
    let files = ["Dockerfile", "compose.yaml", "examples/systemd/countersign.service"];
    let files = files.map(|file| std::fs::read_to_string(file).unwrap());
    for source in files.iter().chain([&monitored]) {
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        for word in source.split(|c| !is_part(c)).filter(|word| word.starts_with("COUNTERSIGN_")) {
            // A sentence that stands for all of a table.
            assert!(word.ends_with("__") || known.iter().any(|variable| variable == word), "{word}");
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

/// The unit as it would be installed, with the binary of this test.
fn unit(dir: &Path) -> PathBuf {
    let unit = std::fs::read_to_string("examples/systemd/countersign.service").unwrap();
    let file = dir.join("countersign.service");
    let program = env!("CARGO_BIN_EXE_countersign");
    std::fs::write(&file, unit.replace("/usr/local/bin/countersign", program)).unwrap();
    file
}

#[test]
fn packages_systemd_takes_the_unit_and_finds_it_hardened() {
    let dir = tempfile::tempdir().unwrap();
    let unit = unit(dir.path());
    let said = passes(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    assert!(!said.contains("countersign.service"), "{said}");
    // Ten times the exposure: 100 is a service without any protection. Versions of systemd differ a little.
    let score = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    passes(Command::new("systemd-analyze").args(score).arg(&unit));
}

/// The next message that has a line, and all before it are of the kinds that may come between.
fn told(socket: &UnixDatagram, line: &str) -> String {
    let mut message = [0; 256];
    loop {
        let length = socket.recv(&mut message).unwrap_or_else(|error| panic!("{line} was not told: {error}"));
        let message = String::from_utf8_lossy(&message[..length]).into_owned();
        if message.lines().any(|told| told == line) {
            return message;
        }
        assert_eq!(message.trim_end(), "WATCHDOG=1", "instead of {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_how_the_service_is() {
    let app = TestApp::start().await;
    let socket = app.dir.path().join("notify");
    let prefix = format!("export NOTIFY_SOCKET={} WATCHDOG_USEC=400000;", socket.display());
    let socket = UnixDatagram::bind(socket).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut process = Process::serve(&app, &prefix);
    told(&socket, "READY=1");
    for _ in 0..3 {
        told(&socket, "WATCHDOG=1");
    }
    process.signal("HUP");
    assert!(told(&socket, "RELOADING=1").contains("MONOTONIC_USEC="));
    told(&socket, "READY=1");
    process.signal("TERM");
    told(&socket, "STOPPING=1");
    assert!(process.ended().await.success());
}
