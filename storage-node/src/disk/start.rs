//! Making a device, and opening one after whatever has happened to it.

mod tail;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::counted::Counted;
use super::error::DiskError;
use super::files::{FileLock, Files};
use super::health::Health;
use super::identity_file::{self, IdentityError};
use super::index::changes::{self, Unfolded};
use super::index::log_check::{self, Log};
use super::index::state::DeviceState;
use super::index::{self, Role, blobs, schema, seals, state};
use super::layout::{Layout, blob_of_name};
use super::publish;
use super::reader::Reader;
use super::registers::Registers;
use super::segment::{Appender, Segments};
use super::sums::Sums;
use super::writer::{Writer, WriterParts};
use crate::clock::Clocks;
use crate::figures::DeviceFigures;
use crate::identity::DeviceIdentity;
use crate::options::DeviceOptions;

/// Why a device can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0} holds a device already")]
    Exists(PathBuf),
    /// Data without an identity isn't touched.
    #[error("{0} holds data, but no device.toml")]
    Unidentified(PathBuf),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the device is {found:?}, and not {expected:?}")]
    Foreign { found: DeviceIdentity, expected: DeviceIdentity },
    #[error("another process has the device open")]
    InUse,
    /// It has to be rebuilt from its peers.
    #[error("the device has failed before: {0}")]
    FailedBefore(String),
    #[error("index.db isn't there")]
    IndexMissing,
    #[error("index.db is damaged")]
    IndexDamaged(#[source] DiskError),
    #[error("the index has version {0}, and this version knows versions up to {known}", known = schema::INDEX_VERSION)]
    IndexNewer(i32),
    /// Changes that were confirmed are gone: the device mustn't take part in any majority. Rebuild it from its peers.
    #[error("the device has lost changes that it had confirmed: {0}")]
    ChangesLost(&'static str),
    #[error("can't {action}")]
    File { action: &'static str, source: io::Error },
}

/// A device that has been opened.
#[derive(Debug)]
pub struct Started {
    pub writer: Writer,
    pub registers: Arc<Registers>,
    pub segments: Arc<Segments>,
    pub sums: Arc<Sums>,
    pub counted: Arc<Counted>,
    pub health: Arc<Health>,
    pub clocks: Clocks,
    pub figures: Arc<DeviceFigures>,
    pub layout: Layout,
}

/// Makes a device, which must not exist. The identity comes last: until then it isn't a device.
pub fn create(root: &Path, options: &DeviceOptions) -> Result<(), OpenError> {
    let (files, layout) = (options.files.as_ref(), Layout::new(root));
    let in_vain = |action| move |source| OpenError::File { action, source };
    files.create_dir(root).map_err(in_vain("make the device's directory"))?;
    match identity_file::read(files, &layout) {
        Err(IdentityError::Absent) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(OpenError::Exists(root.to_owned())),
    }
    let _lock = lock(files, &layout)?;
    for directory in [layout.segments(), layout.staging(), layout.blobs()] {
        files.create_dir(&directory).map_err(in_vain("make a directory"))?;
    }
    for last_byte in 0..=u8::MAX {
        files.create_dir(&layout.blob_directory(last_byte)).map_err(in_vain("make a directory"))?;
    }
    let connection = index::open(&layout.index(), options.vfs.as_deref(), true)
        .map_err(|error| OpenError::IndexDamaged(error.into()))?;
    let fresh = prepare_index(connection).map_err(OpenError::IndexDamaged)?;
    if !fresh {
        return Err(OpenError::Unidentified(root.to_owned()));
    }
    for directory in [layout.blobs(), root.to_owned()] {
        files.sync_dir(&directory).map_err(in_vain("sync a directory"))?;
    }
    identity_file::write(files, &layout, &options.identity).map_err(in_vain("write device.toml"))
}

/// Makes the tables. `false`: the index has been in use, so it isn't what an interrupted `create` has left.
fn prepare_index(mut connection: Connection) -> Result<bool, DiskError> {
    index::configure(&connection, Role::Writer)?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        schema::create(&mut connection)?;
    }
    let fresh = state::read(&connection)?.session == 0;
    if fresh {
        index::checkpoint(&connection)?;
    }
    Ok(fresh)
}

/// Opens a device, and puts right what a crash has left.
pub fn open(root: &Path, options: &DeviceOptions) -> Result<Started, OpenError> {
    let (files, layout) = (options.files.clone(), Layout::new(root));
    let found = identity_file::read(files.as_ref(), &layout)?;
    if found != options.identity {
        return Err(OpenError::Foreign { found, expected: options.identity });
    }
    let lock = lock(files.as_ref(), &layout)?;
    check_markers(files.as_ref(), &layout)?;
    let connection = index::open(&layout.index(), options.vfs.as_deref(), false)
        .map_err(|error| OpenError::IndexDamaged(error.into()))?;
    check_version(&connection)?;

    schema::bring_up_to_date(&connection).map_err(|error| OpenError::IndexDamaged(error.into()))?;

    let segments = Arc::new(Segments::new(files.clone(), layout.clone()));
    let mut state = state::read(&connection).map_err(OpenError::IndexDamaged)?;
    let (tail, file) = tail::recover(files.as_ref(), &layout, &segments, &state)?;
    state.tail = tail;
    state.session += 1;
    state.commits += 1;
    let begun = begin_session(&connection, &mut state, files.as_ref(), &layout);
    begun.map_err(OpenError::IndexDamaged)?;

    let floors = state::floors(&connection).map_err(OpenError::IndexDamaged)?;
    let seals = seals::all(&connection).map_err(OpenError::IndexDamaged)?;
    let registers = Arc::new(Registers::start(found.partition_bits, state.bound, &floors));
    let health = Arc::new(Health::new(files.clone(), layout.clone()));
    let sums = Arc::new(Sums::new(found.partition_bits));
    let counted = Arc::new(Counted::default());
    let clocks = Clocks {
        wall: options.wall.clone(),
        steady: options.steady.clone(),
        session: state.session,
        start: options.steady.elapsed(),
    };
    let figures = Arc::<DeviceFigures>::default();
    let writer = Writer::new(WriterParts {
        connection,
        files,
        layout: layout.clone(),
        registers: registers.clone(),
        segments: segments.clone(),
        appender: Appender::new(tail, file),
        state,
        seals,
        sums: sums.clone(),
        counted: counted.clone(),
        health: health.clone(),
        clocks: clocks.clone(),
        partition_bits: found.partition_bits,
        reserve_bytes: options.reserve_bytes,
        figures: figures.clone(),
        unfolded: Unfolded::default(),
        unfolded_bytes_max: options.unfolded_bytes_max,
        lock,
    });
    let writer = writer.map_err(|error| OpenError::IndexDamaged(error.into()))?;
    Ok(Started { writer, registers, segments, sums, counted, health, clocks, figures, layout })
}

/// A connection of its own for a thread that reads.
pub fn reader(started: &Started, options: &DeviceOptions) -> Result<Reader, OpenError> {
    connected(started, options, Role::Reader)
}

/// The same for the thread that also copies the log into the index.
pub fn upkeep_reader(started: &Started, options: &DeviceOptions) -> Result<Reader, OpenError> {
    connected(started, options, Role::Upkeep)
}

fn connected(started: &Started, options: &DeviceOptions, role: Role) -> Result<Reader, OpenError> {
    let open = || {
        let connection = index::open(&started.layout.index(), options.vfs.as_deref(), false)?;
        index::configure(&connection, role)?;
        Ok(connection)
    };
    let connection = open().map_err(|error: rusqlite::Error| OpenError::IndexDamaged(error.into()))?;
    Ok(Reader {
        connection,
        files: options.files.clone(),
        layout: started.layout.clone(),
        segments: started.segments.clone(),
        sums: started.sums.clone(),
        counted: started.counted.clone(),
        partition_bits: options.identity.partition_bits,
    })
}

fn lock(files: &dyn Files, layout: &Layout) -> Result<Box<dyn FileLock>, OpenError> {
    files.lock(&layout.lock()).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse,
        _ => OpenError::File { action: "lock the device", source },
    })
}

/// While a device is open, its log holds what the index doesn't; SQLite itself would take the log's absence for an
/// empty one, and go on without the changes in it.
fn check_markers(files: &dyn Files, layout: &Layout) -> Result<(), OpenError> {
    let names =
        files.list(layout.root()).map_err(|source| OpenError::File { action: "list the device", source })?;
    let is_there = |path: PathBuf| names.iter().any(|name| path.file_name() == Some(name.as_ref()));
    if is_there(layout.failed_marker()) {
        let reason = super::files::read_whole(files, &layout.failed_marker()).unwrap_or_default();
        return Err(OpenError::FailedBefore(String::from_utf8_lossy(&reason).into_owned()));
    }
    if !is_there(layout.index()) {
        return Err(OpenError::IndexMissing);
    }
    if is_there(layout.open_marker()) {
        let log = match files.open(&layout.index_log()) {
            Ok(log) => log_check::check(log.as_ref()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Log::Empty),
            Err(error) => Err(error),
        };
        match log.map_err(|source| OpenError::File { action: "read the log of the index", source })? {
            Log::Intact => {}
            Log::Empty => return Err(OpenError::ChangesLost("the log of the index isn't there")),
            Log::Damaged => return Err(OpenError::ChangesLost("the log of the index is damaged")),
        }
    }
    Ok(())
}

fn check_version(connection: &Connection) -> Result<(), OpenError> {
    let read = || {
        index::configure(connection, Role::Writer)?;
        let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok((application, version))
    };
    match read().map_err(|error: rusqlite::Error| OpenError::IndexDamaged(error.into()))? {
        (schema::APPLICATION_ID, 1..=schema::INDEX_VERSION) => Ok(()),
        (schema::APPLICATION_ID, version) if version > schema::INDEX_VERSION => {
            Err(OpenError::IndexNewer(version))
        }
        _ => Err(OpenError::IndexDamaged(DiskError::damaged("index.db", "it isn't an index of a device"))),
    }
}

/// After this, the index's log has something in it, and the marker says so.
fn begin_session(
    connection: &Connection,
    state: &mut DeviceState,
    files: &dyn Files,
    layout: &Layout,
) -> Result<(), DiskError> {
    let transaction = connection.unchecked_transaction()?;
    changes::fold(&transaction, state, &Unfolded::read(&transaction)?.counters)?;
    transaction.commit()?;
    let marked = publish::replace(files, &layout.open_marker(), b"");
    marked.map_err(|error| DiskError::of_write("mark the device as open", error))?;
    remove_staged(connection, files, layout)
}

/// Removes blob files that never got their row. Whatever is staged or published without one has a staged name.
fn remove_staged(connection: &Connection, files: &dyn Files, layout: &Layout) -> Result<(), DiskError> {
    let in_vain = |error| DiskError::of_write("remove what a crash has left", error);
    let mut staged = Vec::new();
    for name in files.list(&layout.staging()).map_err(in_vain)? {
        if let Some(id) = blob_of_name(&name)
            && !blobs::exists(connection, id)?
        {
            unlink_if_there(files, &layout.blob(id)).map_err(in_vain)?;
            files.sync_dir(&layout.blob_directory(id.0[15])).map_err(in_vain)?;
        }
        staged.push(layout.staging().join(name));
    }
    // Last: as long as its staged name is there, the next start finds the published one.
    staged.iter().try_for_each(|path| files.unlink(path)).map_err(in_vain)
}

fn unlink_if_there(files: &dyn Files, path: &Path) -> io::Result<()> {
    match files.unlink(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
