//! The gateway: a store, and the dialects in front of it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use martlet_auth::request::{Absence, Transport};
use martlet_auth::token::TokenKey;
use martlet_auth::{GrantsCache, RequestContext, Users};
use martlet_model::{Clock, Store};
use tokio::sync::Semaphore;

use crate::body::RequestBody;
use crate::dialect::{self, About, Answering};
use crate::drain::Drain;
use crate::journal::Journal;
use crate::limits::{CONNECTIONS_COUNT_MAX, LARGE_BODIES_COUNT_MAX, SLOW_REQUEST};
use crate::request_id::RequestIds;
use crate::route::{Route, Routes};
use crate::ruled::Ruled;
use crate::s3::S3;
use crate::s3::host::VirtualHosts;
use crate::server::Presence;
use crate::swift::{Foundation, Scheme, Swift, UrlScheme};
use crate::traffic::Traffic;

/// What the gateway can't know by itself.
#[derive(Debug)]
pub struct Options {
    /// The region that S3 requests are signed for, and that buckets are in.
    pub region: String,
    /// Domains whose subdomains are buckets, without a leading dot: with `s3.example`, `Host: box.s3.example` is `box`.
    pub virtual_host_suffixes: Vec<String>,
    /// A random number of this process, from which request ids are made.
    pub request_id_seed: u64,
    /// What Swift's tokens are signed with: the same at every proxy of a cluster.
    pub token_key: TokenKey,
    /// The scheme of Swift's storage URLs: `Https` where clients come through something that ends TLS.
    pub storage_url_scheme: Scheme,
}

/// How the gateway behaves towards those who run it.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Whether every request gets a line in the log, or only those that somebody should look at.
    pub logs_every_request: bool,
    /// A request that takes longer than this to answer, not counting what its client takes to send the body,
    /// is told in the log as a slow one.
    pub slow: Duration,
    /// Connections served at once; further ones wait to be accepted.
    pub connections_max: usize,
    /// Large bodies that are on their way at once; further ones wait, and are refused after a while.
    pub large_bodies_max: usize,
    /// How long a gateway that is told to stop goes on accepting requests, while it tells balancers to stay away.
    pub drain: Duration,
    /// As long as there is such a file, `/healthcheck` says that this proxy isn't to be sent requests.
    pub healthcheck_disable_file: Option<PathBuf>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            logs_every_request: true,
            slow: SLOW_REQUEST,
            connections_max: CONNECTIONS_COUNT_MAX,
            large_bodies_max: LARGE_BODIES_COUNT_MAX,
            drain: Duration::ZERO,
            healthcheck_disable_file: None,
        }
    }
}

/// Both dialects over one store.
#[derive(Debug)]
pub struct Gateway {
    store: Arc<dyn Store>,
    routes: Routes,
    s3: Arc<S3>,
    swift: Arc<Swift>,
    ids: RequestIds,
    clock: Arc<dyn Clock>,
    scheme: Scheme,
    grants: Arc<GrantsCache>,
    journal: Journal,
    drain: Arc<Drain>,
    drain_duration: Duration,
    connections_max: usize,
}

impl Gateway {
    pub fn new(
        store: Arc<dyn Store>,
        users: Arc<dyn Users>,
        clock: Arc<dyn Clock>,
        options: Options,
        habits: Habits,
    ) -> Self {
        let Options { region, virtual_host_suffixes, request_id_seed, token_key, storage_url_scheme } =
            options;
        let drain = Arc::new(Drain::new(habits.healthcheck_disable_file));
        let journal = Journal {
            traffic: Arc::default(),
            tells_all: habits.logs_every_request,
            slow: habits.slow,
            turns: Arc::new(Semaphore::new(habits.large_bodies_max)),
        };
        let store: Arc<dyn Store> = Arc::new(Ruled::new(store, clock.clone()));
        let virtual_hosts = VirtualHosts::new(virtual_host_suffixes);
        Self {
            scheme: storage_url_scheme,
            grants: Arc::default(),
            clock: clock.clone(),
            routes: Routes::new(virtual_hosts.clone()),
            swift: Arc::new(Swift::new(Foundation {
                store: store.clone(),
                users: users.clone(),
                clock: clock.clone(),
                tokens: token_key,
                scheme: storage_url_scheme,
                drain: drain.clone(),
            })),
            s3: Arc::new(S3::new(users, clock, region, virtual_hosts)),
            ids: RequestIds::new(request_id_seed),
            store,
            journal,
            drain,
            drain_duration: habits.drain,
            connections_max: habits.connections_max,
        }
    }

    /// Figures of what goes through.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.journal.traffic
    }

    /// Whether it has been told to stop.
    pub fn is_stopping(&self) -> bool {
        self.drain.is_stopping()
    }

    /// Balancers are told to stay away from now on, and clients to come back by another connection.
    pub(crate) fn begin_to_stop(&self) -> Duration {
        self.drain.stop();
        self.drain_duration
    }

    pub(crate) fn connections_max(&self) -> usize {
        self.connections_max
    }

    /// The answer to a request; `presence` is held until the work is done, also when the client hangs up.
    pub(crate) fn answer(&self, request: Request<Incoming>, client: IpAddr, presence: Presence) -> Answering {
        let (head, incoming) = request.into_parts();
        let head = Arc::new(head);
        let route = self.routes.route(&head);
        let context = RequestContext {
            now: self.clock.now(),
            client: Some(client),
            transport: match self.scheme.of(&head.headers) {
                UrlScheme::Http => Transport::Plain,
                UrlScheme::Https => Transport::Tls,
            },
            head: Some(head.clone()),
            absence: match route {
                Route::S3 => Absence::S3,
                Route::Swift => Absence::Swift,
            },
            grants: self.grants.clone(),
        };
        let (id, body) = (self.ids.next(), RequestBody::received(incoming));
        let record = self.journal.begin((id, client, head.clone()), body.call());
        let request = (About { id, client, head, context }, record);
        let store = self.store.clone();
        match route {
            Route::S3 => dialect::serve(self.s3.clone(), store, request, body, presence),
            Route::Swift => dialect::serve(self.swift.clone(), store, request, body, presence),
        }
    }
}
