//! The order in which a group's jobs are carried out.

use super::job::{Job, Work};

/// Indices of `jobs` in the order of their keys, where the order is free.
///
/// Neighbouring rows share pages, so sorted rows are cheaper to store. Accepts and prepares of one row keep their order,
/// and none moves across any other job.
pub(super) fn order(jobs: &[Job]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    for run in order.chunk_by_mut(|one, next| row(&jobs[*one]).is_some() && row(&jobs[*next]).is_some()) {
        // Stable.
        run.sort_by_key(|index| row(&jobs[*index]));
    }
    order
}

fn row(job: &Job) -> Option<(&[u8; 16], &[u8])> {
    let address = match &job.work {
        Work::Accept(accept) => &accept.row,
        Work::Prepare(prepare) => &prepare.row,
        _ => return None,
    };
    Some((address.row.table.as_bytes(), address.row.key.as_ref()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use martlet_protocol::{Prepare, RowAddress, RowKey, SealToken, TableId};
    use martlet_register::Ballot;
    use martlet_ring::PlacementHash;

    use super::super::job::Answer;
    use super::*;

    fn prepare(key: &'static str, time: u64) -> Work {
        let row = RowKey { table: TableId::system(1), key: Bytes::from_static(key.as_bytes()) };
        let row = RowAddress { row, hash: PlacementHash(0) };
        Work::Prepare(Prepare { row, ballot: Ballot::last_of(time) })
    }

    #[test]
    fn rows_are_sorted_but_never_across_a_seal() {
        let seal = Work::Seal(TableId::system(1), SealToken([0; 16]));
        let works = [
            prepare("c", 1),
            prepare("a", 1),
            prepare("c", 2),
            seal,
            prepare("b", 1),
            prepare("a", 2),
            prepare("b", 0),
        ];
        let jobs: Vec<Job> = works.into_iter().map(|work| Job::new(work, Answer::unheard())).collect();
        assert_eq!(order(&jobs), [1, 0, 2, 3, 5, 4, 6]);
    }
}
