//! `callwright demo --api …`: a daemon with its HTTP API on a whole simulated FreeSWITCH, for
//! whoever writes a web backend. Two tenants, whose callers come and go until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::tenants::{self, Furnished, PLANS};
use super::{callers, settings};
use crate::app::config::{Config, Log};
use crate::app::host::Host;
use crate::base::masked::Masked;
use crate::cli::screen::{BOLD, DIM, Screen, paint};
use crate::cli::serve::{self, Stops};
use crate::driver::standin::{Directory, StandIn};
use crate::store::Store;

/// What a web backend is told.
#[derive(Serialize)]
struct Told<'a> {
    api: String,
    tenants: &'a [Furnished],
}

pub(super) async fn run(
    api: SocketAddr,
    keys: Option<&Path>,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    serve::log(&Log { filter: "warn".into(), json: false })?;
    let folder = tempfile::tempdir()?;
    let standin = StandIn::open(folder.path().join("messages"), tenants::phones()).await?;
    let config = with_api(settings(folder.path()), api, &standin);
    let password = config.xml_curl.password.clone();
    let store = Store::open(&config.store).await?;
    let furnished = tenants::furnish(&store).await?;
    let host = Host::build(config, &store).await?;
    let console = host.console();
    let status = console.status();
    let serving = tokio::spawn(host.run());
    let directory = status.xml_curl.zip(password).map(|(address, password)| Directory {
        url: format!("http://{address}/freeswitch"),
        user: "freeswitch".into(),
        password,
    });
    standin.begin(console.address, directory);
    let told = Told {
        api: format!("http://{}", status.api.context("the API listens nowhere")?),
        tenants: &furnished,
    };
    let file = keys.map(|path| KeyFile::write(path, &told)).transpose()?;
    screen.either(&told, |screen| say(&told, file.is_some(), screen))?;
    let mut coming = JoinSet::new();
    for (nth, plan) in PLANS.iter().enumerate() {
        coming.spawn(callers::come(standin.clone(), plan.number, nth * 3));
    }
    let mut stops = Stops::new()?;
    stops.next().await;
    coming.shutdown().await;
    console.stop();
    // Whoever is asked twice makes haste.
    tokio::select! {
        ran = serving => ran??,
        () = stops.next() => {}
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn with_api(mut config: Config, api: SocketAddr, standin: &StandIn) -> Config {
    config.api.listen = Some(api);
    config.xml_curl.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.xml_curl.password = Some(Masked::new(Uuid::now_v7().to_string()));
    config.link = vec![standin.link()];
    // Nobody is hurt when simulated callers are cut off.
    config.grace = crate::base::millis::Millis::seconds(1);
    config
}

fn say(told: &Told<'_>, in_file: bool, screen: Screen) -> std::io::Result<()> {
    let api = &told.api;
    screen.line(format!("{} The HTTP API is at {api}/v1", paint(BOLD, "callwright demo")))?;
    for tenant in told.tenants {
        let Furnished { tenant: slug, name, key, users } = tenant;
        screen.line(format!("\n{} ({slug})", paint(BOLD, name)))?;
        if !in_file {
            screen.line(format!("  key {key}"))?;
        }
        for person in users {
            let (user, role, extension) = (person.user, person.role, person.extension);
            screen.line(format!("  {user:<20} {role:<10} extension {extension}"))?;
        }
    }
    screen.line(paint(DIM, "\nCallers come and go; Ctrl-C ends everything."))
}

/// The file of keys, for this user alone, as long as the demo runs.
struct KeyFile(PathBuf);

impl KeyFile {
    fn write(path: &Path, told: &Told<'_>) -> anyhow::Result<Self> {
        let text = serde_json::to_vec_pretty(told)?;
        // Whoever waits for it finds it whole.
        let draft = path.with_extension("part");
        let open =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let mut file = open.with_context(|| format!("can't write {}", draft.display()))?;
        let own = Self(path.to_owned());
        std::io::Write::write_all(&mut file, &text)?;
        std::fs::rename(&draft, path).with_context(|| format!("can't write {}", path.display()))?;
        Ok(own)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = std::fs::remove_file(&self.0);
    }
}
