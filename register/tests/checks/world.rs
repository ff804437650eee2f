//! A simulated cluster around one row: replicas, proxies and clients, with everything that may go wrong between them.
//!
//! One seed decides every event, so a history that fails can be run again.

use std::collections::BTreeMap;

use martlet_register::{
    Accepted, Acceptor, Asked, Ballot, BallotClock, ProposerId, Quorum, ReadReply, ReplicaSet, Reply, State,
};

use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::linearizability::Call;
use crate::operation::{Cell, Operation, Tag};
use crate::random::Random;
use crate::run::{Run, Todo};

const PROXY_COUNT: usize = 3;
const CLIENT_COUNT: usize = 4;
const CALLS_PER_CLIENT: u32 = 6;
/// How long a proxy waits for the replies of one round.
const TIMEOUT_MICROS: u64 = 8_000;
/// How long a proxy works for one call.
const DEADLINE_MICROS: u64 = 80_000;
/// When the simulation starts by the wall clock: the clocks may be wrong by years in both directions.
const START_MICROS: u64 = 1_800_000_000_000_000;
const DAY_MICROS: u64 = 86_400_000_000;
/// Reads at the end, on a network that works.
const LAST_READS: u32 = 3;

/// What one simulated history came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// Without the calls that were told to have had no effect: nothing may need them.
    pub(crate) calls: Vec<Call>,
    pub(crate) ledger: Ledger,
}

/// Runs one history.
pub(crate) fn simulate(seed: u64, replica_count: usize, fault: Option<Fault>) -> History {
    let mut world = World::new(seed, replica_count, fault);
    for client in 0..CLIENT_COUNT {
        world.schedule_within(2_000, Event::Invoke { client });
    }
    world.schedule_within(5_000, Event::Nemesis);
    world.play();
    world.read_at_last();
    world.into_history()
}

/// How rough one history is.
struct Weather {
    loss_percent: u64,
    repeat_percent: u64,
    slow_percent: u64,
    /// How often something breaks.
    nemesis_micros: u64,
}

#[derive(Clone)]
pub(crate) enum Request {
    Prepare(Ballot),
    Accept(Ballot, Box<State<Cell>>),
    ReadValue,
    ReadBallot,
}

#[derive(Clone)]
pub(crate) enum Response {
    Register(Asked, Reply<Cell>),
    Read(ReadReply<Cell>),
}

enum Event {
    Invoke { client: usize },
    Request { run: usize, replica: usize, request: Request },
    Response { run: usize, replica: usize, response: Response },
    Timeout { run: usize, round: u32 },
    Retry { run: usize, above: Ballot },
    Deadline { run: usize },
    Nemesis,
}

struct Replica {
    acceptor: Acceptor<Cell>,
    up_from: u64,
}

struct Proxy {
    clock: BallotClock,
    /// What its wall clock shows at the start of the simulation.
    wall_start_micros: u64,
}

struct Client {
    calls_left: u32,
}

struct World {
    random: Random,
    fault: Option<Fault>,
    weather: Weather,
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    events_count: u64,
    replicas: Vec<Replica>,
    proxies: Vec<Proxy>,
    clients: Vec<Client>,
    runs: Vec<Run>,
    calls: Vec<Call>,
    /// Calls that had no effect, as far as their clients were told.
    void: Vec<bool>,
    history_len: usize,
    tags: Tag,
    ledger: Ledger,
}

impl World {
    fn new(seed: u64, replica_count: usize, fault: Option<Fault>) -> Self {
        let mut random = Random::seeded(seed);
        let weather = Weather {
            loss_percent: [0, 2, 10, 25][random.index(4)],
            repeat_percent: [0, 5, 20][random.index(3)],
            slow_percent: [0, 5, 20, 40][random.index(4)],
            nemesis_micros: [2_000, 6_000, 20_000][random.index(3)],
        };
        let mut world = Self {
            random,
            fault,
            weather,
            now: 0,
            events: BTreeMap::new(),
            events_count: 0,
            replicas: (0..replica_count)
                .map(|_| Replica { acceptor: Acceptor::default(), up_from: 0 })
                .collect(),
            proxies: Vec::new(),
            clients: (0..CLIENT_COUNT).map(|_| Client { calls_left: CALLS_PER_CLIENT }).collect(),
            runs: Vec::new(),
            calls: Vec::new(),
            void: Vec::new(),
            history_len: 0,
            tags: 0,
            ledger: Ledger::new(Quorum::majority(replica_count)),
        };
        for _ in 0..PROXY_COUNT {
            let proxy = world.new_proxy();
            world.proxies.push(proxy);
        }
        world
    }

    fn new_proxy(&mut self) -> Proxy {
        let clock = BallotClock::new(ProposerId(self.random.next()));
        Proxy { clock, wall_start_micros: self.wrong_time() }
    }

    /// Right to a millisecond, or wrong by a few, or by days.
    fn wrong_time(&mut self) -> u64 {
        let error = [1_000, 20_000, 3 * DAY_MICROS][self.random.index(3)];
        START_MICROS - error + self.random.below(2 * error)
    }

    fn play(&mut self) {
        while let Some(((when, _), event)) = self.events.pop_first() {
            self.now = when;
            self.happen(event);
        }
    }

    /// Nothing breaks any more: whoever reads now must find what was acknowledged.
    fn read_at_last(&mut self) {
        self.weather = Weather { loss_percent: 0, repeat_percent: 0, slow_percent: 0, nemesis_micros: 0 };
        self.clients[0].calls_left = 0;
        for replica in &mut self.replicas {
            replica.up_from = 0;
        }
        for _ in 0..LAST_READS {
            self.call(0, Operation::Read);
            self.play();
        }
    }

    fn into_history(self) -> History {
        let calls = self.calls.into_iter().zip(self.void).filter(|(_, void)| !void).map(|(call, _)| call);
        History { calls: calls.collect(), ledger: self.ledger }
    }

    fn schedule_within(&mut self, micros: u64, event: Event) {
        let delay = self.random.below(micros);
        self.schedule_after(delay, event);
    }

    fn schedule_after(&mut self, micros: u64, event: Event) {
        self.events_count += 1;
        self.events.insert((self.now + micros, self.events_count), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Invoke { client } => {
                let operation = self.next_operation();
                self.clients[client].calls_left -= 1;
                self.call(client, operation);
            }
            Event::Request { run, replica, request } => self.serve(run, replica, request),
            Event::Response { run, replica, response } => {
                let todo = self.runs[run].on_response(replica, response);
                self.act(run, todo);
            }
            Event::Timeout { run, round } => {
                let todo = self.runs[run].on_timeout(round);
                self.act(run, todo);
            }
            Event::Retry { run, above } => {
                let ballot = self.next_ballot(self.runs[run].proxy, above);
                let todo = self.runs[run].retry(ballot);
                self.act(run, todo);
            }
            Event::Deadline { run } => {
                let todo = self.runs[run].give_up();
                self.act(run, todo);
            }
            Event::Nemesis => self.break_something(),
        }
    }

    fn next_operation(&mut self) -> Operation {
        self.tags += 1;
        let tag = self.tags;
        match self.random.below(100) {
            0..30 => Operation::Read,
            30..40 => Operation::Write(tag),
            40..55 => Operation::Replace(tag),
            55..70 => Operation::Create(tag),
            70..80 => {
                let recent = u32::try_from(self.random.below(8)).expect("a small number");
                Operation::Update { from: tag.saturating_sub(recent + 1), to: tag }
            }
            _ => Operation::Delete,
        }
    }

    fn next_ballot(&mut self, proxy: usize, above: Ballot) -> Ballot {
        let proxy = &mut self.proxies[proxy];
        proxy.clock.next(proxy.wall_start_micros + self.now, above)
    }

    fn call(&mut self, client: usize, operation: Operation) {
        let invoked = self.next_position();
        self.calls.push(Call { operation, invoked, returned: None });
        self.void.push(false);
        let proxy = self.random.index(PROXY_COUNT);
        let ballot = self.next_ballot(proxy, Ballot::ZERO);
        let asked = self.asked_first();
        let (mut run, todo) =
            Run::start(operation, Quorum::majority(self.replicas.len()), ballot, asked, self.fault);
        run.client = client;
        run.proxy = proxy;
        self.runs.push(run);
        let run = self.runs.len() - 1;
        self.schedule_after(DEADLINE_MICROS, Event::Deadline { run });
        self.act(run, todo);
    }

    /// Whom a read asks at first: all, or just enough.
    fn asked_first(&mut self) -> ReplicaSet {
        let replica_count = self.replicas.len();
        let first = self.random.index(replica_count);
        let enough = if self.random.percent(50) { replica_count } else { replica_count / 2 + 1 };
        (first..first + enough).map(|replica| replica % replica_count).collect()
    }

    fn next_position(&mut self) -> usize {
        self.history_len += 1;
        self.history_len
    }

    /// Carries out what a run asks for.
    fn act(&mut self, run: usize, todo: Todo) {
        match todo {
            Todo::Nothing => {}
            Todo::Send { to, request, others } => {
                for (index, replica) in to.iter().enumerate() {
                    let request = if index == 0 { request.clone() } else { others.clone() };
                    self.send(Event::Request { run, replica, request });
                }
                let round = self.runs[run].round;
                self.schedule_after(TIMEOUT_MICROS, Event::Timeout { run, round });
            }
            Todo::Retry { above } => self.schedule_within(3_000, Event::Retry { run, above }),
            Todo::Resolve => {
                let ballot = self.next_ballot(self.runs[run].proxy, Ballot::ZERO);
                let todo = self.runs[run].resolve(ballot);
                self.act(run, todo);
            }
            Todo::Return(answer) => {
                let when = self.next_position();
                self.calls[run].returned = Some((when, answer));
                self.next_call(run);
            }
            Todo::ReturnNothing { without_effect } => {
                self.void[run] = without_effect;
                self.next_call(run);
            }
        }
    }

    fn next_call(&mut self, run: usize) {
        let client = self.runs[run].client;
        if self.clients[client].calls_left > 0 {
            self.schedule_within(4_000, Event::Invoke { client });
        }
    }

    /// Loses, delays and repeats.
    fn send(&mut self, event: Event) {
        let repeated = match &event {
            Event::Request { run, replica, request } if self.random.percent(self.weather.repeat_percent) => {
                Some(Event::Request { run: *run, replica: *replica, request: request.clone() })
            }
            Event::Response { run, replica, response }
                if self.random.percent(self.weather.repeat_percent) =>
            {
                Some(Event::Response { run: *run, replica: *replica, response: response.clone() })
            }
            _ => None,
        };
        for event in [Some(event), repeated].into_iter().flatten() {
            if !self.random.percent(self.weather.loss_percent) {
                let slow = self.random.percent(self.weather.slow_percent);
                self.schedule_within(if slow { 40_000 } else { 2_000 }, event);
            }
        }
    }

    fn serve(&mut self, run: usize, replica: usize, request: Request) {
        if self.now < self.replicas[replica].up_from {
            return;
        }
        let acceptor = &mut self.replicas[replica].acceptor;
        let response = match request {
            Request::Prepare(ballot) => {
                Response::Register(Asked::Prepare(ballot), acceptor.prepare(ballot, START_MICROS + self.now))
            }
            Request::Accept(ballot, state) => {
                if self.fault == Some(Fault::NoPromiseCheck) {
                    acceptor.promised = None;
                }
                let reply = acceptor.accept(ballot, *state.clone());
                if reply == Reply::Accepted {
                    self.ledger.accepted(replica, Accepted { ballot, state: *state });
                }
                Response::Register(Asked::Accept(ballot), reply)
            }
            Request::ReadValue => Response::Read(acceptor.read_value()),
            Request::ReadBallot => Response::Read(acceptor.read_ballot()),
        };
        self.send(Event::Response { run, replica, response });
    }

    fn break_something(&mut self) {
        if self.runs.iter().all(|run| run.finished)
            && self.clients.iter().all(|client| client.calls_left == 0)
        {
            return;
        }
        let replica = self.random.index(self.replicas.len());
        let proxy = self.random.index(PROXY_COUNT);
        match self.random.below(100) {
            0..25 => self.restart_replica(replica),
            25..45 => self.evict_promise(replica),
            45..65 => self.forget_tombstone(replica),
            65..75 => self.proxies[proxy].wall_start_micros = self.wrong_time(),
            75..85 => self.restart_proxy(proxy),
            _ => self.copy_from_follower(replica),
        }
        self.schedule_within(self.weather.nemesis_micros, Event::Nemesis);
    }

    fn restart_replica(&mut self, replica: usize) {
        let down = if self.random.percent(50) { 0 } else { self.random.below(20_000) };
        let replica = &mut self.replicas[replica];
        replica.up_from = self.now + down;
        if self.fault == Some(Fault::NoFloorAfterRestart) {
            replica.acceptor.durable.bound = martlet_register::PromiseBound::default();
        }
        replica.acceptor.restart();
    }

    fn evict_promise(&mut self, replica: usize) {
        let acceptor = &mut self.replicas[replica].acceptor;
        if self.fault == Some(Fault::NoFloorAfterEviction) {
            acceptor.promised = None;
        } else {
            acceptor.evict_promise();
        }
    }

    fn forget_tombstone(&mut self, replica: usize) {
        let acceptor = &mut self.replicas[replica].acceptor;
        let Some(Accepted { ballot, state }) = acceptor.durable.accepted.clone() else { return };
        let held_by_all = self.ledger.is_held_by_all(ballot) || self.fault == Some(Fault::ForgettingEarly);
        if state.value != Cell::Tombstone || !held_by_all {
            return;
        }
        if self.fault == Some(Fault::NoFloorAfterForgetting) {
            acceptor.durable.accepted = None;
        } else {
            acceptor.forget_tombstone(ballot);
        }
    }

    /// The proxy dies with its calls, and another comes in its place.
    fn restart_proxy(&mut self, proxy: usize) {
        self.proxies[proxy] = self.new_proxy();
        for run in 0..self.runs.len() {
            if self.runs[run].proxy == proxy {
                let todo = self.runs[run].die();
                self.act(run, todo);
            }
        }
    }

    fn copy_from_follower(&mut self, replica: usize) {
        let from = self.random.index(self.replicas.len());
        if self.fault == Some(Fault::FollowerCopy) {
            let theirs = self.replicas[from].acceptor.durable.accepted.clone();
            let acceptor = &mut self.replicas[replica].acceptor;
            if acceptor.standing().accepted < theirs.as_ref().map(|accepted| accepted.ballot) {
                acceptor.durable.accepted = theirs;
            }
        }
    }
}
