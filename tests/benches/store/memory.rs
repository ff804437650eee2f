//! Whether memory stays within its bound under many large bodies at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_tests::connection::Connection;
use martlet_tests::files;

use crate::operations::make_container;
use crate::requests::{Body, Dialect, Requests};
use crate::size::Size;
use crate::target::Target;

/// How often the resident memory is looked at.
const SAMPLING: Duration = Duration::from_millis(20);
/// What a client sends at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Objects that are downloaded.
const OBJECTS: usize = 8;
const STACK_BYTES: usize = 256 * 1024;
/// Between two phases, so that none finds bodies of the one before.
const SETTLING: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Bodies at once.
    #[arg(long, default_value_t = 200)]
    parallel: usize,
    #[arg(long, default_value = "64m")]
    size: Size,
    /// What all processes together may have resident at any moment.
    #[arg(long, default_value_t = 256.0)]
    bound_mib: f64,
    /// After this, what isn't finished is cut off: so many bodies need several times their length of disk.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Uploads,
    Downloads,
    /// Asks for a body, and doesn't read it.
    Dawdles,
}

struct Phase<'a> {
    target: &'a Target,
    requests: Requests,
    body: Body,
    address: String,
    end: Instant,
    finished: AtomicUsize,
    bytes: AtomicUsize,
}

pub(crate) fn run(target: &Target, options: &Options) {
    make_container(target, "bench");
    let body = files::bytes(1, options.size.0);
    prepare(target, &body);
    let parallel = options.parallel;
    let phases = [
        ("uploads", parallel, 0, 0),
        ("downloads", 0, parallel, 0),
        ("both", parallel, parallel, 0),
        ("downloads that nobody reads", 0, 0, parallel),
    ];
    println!(
        "\n| {parallel} at once of {} | whole | MiB/s | server CPU ms per MiB | peak MiB in all | afterwards |",
        options.size
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut highest = 0.0_f64;
    for (name, uploads, downloads, dawdlers) in phases {
        let phase = Phase {
            target,
            requests: Requests::new(target, Dialect::Swift),
            body: Body::new(body.clone()),
            address: target.addresses().remove(0),
            end: Instant::now() + SETTLING + Duration::from_secs(options.seconds),
            finished: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        };
        std::thread::sleep(SETTLING);
        let roles = [(Role::Uploads, uploads), (Role::Downloads, downloads), (Role::Dawdles, dawdlers)];
        highest = highest.max(phase.run(name, &roles));
    }
    println!("\nthe sum of every process's own peak: {:.1} MiB", target.resident_peak_mib());
    let bound = options.bound_mib;
    assert!(highest <= bound, "{highest:.1} MiB were resident at once, and {bound:.1} are the bound");
}

fn prepare(target: &Target, body: &[u8]) {
    let requests = Requests::new(target, Dialect::Swift);
    let body = Body::new(body.to_vec());
    let mut connection = Connection::open(&target.addresses()[0]).expect("the server accepts");
    for number in 0..OBJECTS {
        let head = requests.head("PUT", &format!("bench/whole-{number}"), &body);
        let status = connection.exchange(&head, &body.bytes);
        assert!(status.is_ok_and(|status| status == 201), "an object can be made");
    }
}

impl Phase<'_> {
    /// Runs the clients, and says what the peak was.
    fn run(&self, name: &str, roles: &[(Role, usize)]) -> f64 {
        let (before, start, is_over) = (self.target.cpu(), Instant::now(), AtomicBool::new(false));
        let peak = std::thread::scope(|scope| {
            let sampler = scope.spawn(|| self.sample(&is_over));
            let clients = roles.iter().flat_map(|(role, count)| std::iter::repeat_n(*role, *count));
            let client = |(number, role): (usize, Role)| {
                let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, move || self.act(role, number)).expect("a thread starts")
            };
            let clients: Vec<_> = clients.enumerate().map(client).collect();
            for client in clients {
                client.join().expect("a client ends well").expect("its connection doesn't break");
            }
            is_over.store(true, Ordering::Relaxed);
            sampler.join().expect("the sampler ends well")
        });
        let cpu = (self.target.cpu() - before).all.as_secs_f64() * 1e3;
        let mib = self.bytes.load(Ordering::Relaxed) as f64 / f64::from(1 << 20);
        println!(
            "| {name} | {} | {:.0} | {:.2} | {peak:.1} | {} |",
            self.finished.load(Ordering::Relaxed),
            mib / start.elapsed().as_secs_f64(),
            cpu / mib,
            self.target.memory(),
        );
        peak
    }

    fn sample(&self, is_over: &AtomicBool) -> f64 {
        let mut peak = 0.0_f64;
        while !is_over.load(Ordering::Relaxed) {
            peak = peak.max(self.target.resident_mib());
            std::thread::sleep(SAMPLING);
        }
        peak
    }

    fn act(&self, role: Role, number: usize) -> io::Result<()> {
        let mut connection = Connection::open(&self.address)?;
        let is_whole = match role {
            Role::Uploads => self.upload(&mut connection, number)?,
            Role::Downloads => self.download(&mut connection, number)?,
            Role::Dawdles => {
                connection.send(&self.download_head(number))?;
                let head = connection.head()?;
                self.count(head.came_along());
                std::thread::sleep(self.end.saturating_duration_since(Instant::now()));
                false
            }
        };
        self.finished.fetch_add(usize::from(is_whole), Ordering::Relaxed);
        Ok(())
    }

    fn upload(&self, connection: &mut Connection, number: usize) -> io::Result<bool> {
        connection.send(&self.requests.head("PUT", &format!("bench/upload-{number}"), &self.body))?;
        for piece in self.body.bytes.chunks(PIECE_BYTES) {
            if self.end <= Instant::now() {
                return Ok(false);
            }
            connection.send(piece)?;
            self.count(piece.len());
        }
        assert_eq!(connection.head()?.status, 201);
        Ok(true)
    }

    fn download(&self, connection: &mut Connection, number: usize) -> io::Result<bool> {
        connection.send(&self.download_head(number))?;
        let head = connection.head()?;
        assert_eq!((head.status, head.length()), (200, self.body.bytes.len()));
        let mut left = head.length() - head.came_along();
        self.count(head.came_along());
        while left > 0 {
            if self.end <= Instant::now() {
                return Ok(false);
            }
            let count = connection.skip()?;
            self.count(count);
            left -= count;
        }
        Ok(true)
    }

    fn download_head(&self, number: usize) -> Vec<u8> {
        self.requests.head("GET", &format!("bench/whole-{}", number % OBJECTS), &Body::none())
    }

    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}
