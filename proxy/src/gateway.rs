//! The gateway: a store, and the dialects in front of it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use martlet_auth::request::{Absence, Transport};
use martlet_auth::token::TokenKey;
use martlet_auth::{GrantsCache, RequestContext, Users};
use martlet_model::{Clock, Store};

use crate::body::RequestBody;
use crate::dialect::{self, About, Answering};
use crate::request_id::RequestIds;
use crate::route::{Route, Routes};
use crate::ruled::Ruled;
use crate::s3::S3;
use crate::s3::host::VirtualHosts;
use crate::server::Presence;
use crate::swift::{Foundation, Scheme, Swift, UrlScheme};

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
}

impl Gateway {
    pub fn new(
        store: Arc<dyn Store>,
        users: Arc<dyn Users>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Self {
        let Options { region, virtual_host_suffixes, request_id_seed, token_key, storage_url_scheme } =
            options;
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
            })),
            s3: Arc::new(S3::new(users, clock, region, virtual_hosts)),
            ids: RequestIds::new(request_id_seed),
            store,
        }
    }

    /// As long as there is such a file, `/healthcheck` says that this proxy isn't to be sent requests.
    #[must_use]
    pub fn drained_by(mut self, file: PathBuf) -> Self {
        if let Some(swift) = Arc::get_mut(&mut self.swift) {
            swift.drain_by(file);
        }
        self
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
        let about = About { id: self.ids.next(), client, head, context };
        let (store, body) = (self.store.clone(), RequestBody::received(incoming));
        match route {
            Route::S3 => dialect::serve(self.s3.clone(), store, about, body, presence),
            Route::Swift => dialect::serve(self.swift.clone(), store, about, body, presence),
        }
    }
}
