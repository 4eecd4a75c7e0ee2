/*
 * The protocol of engine/transaction, engine/step and recovery, without their code. Spin tries
 * every order of two workers (`apply`, `rollback` or `recover`, as they like) with up to CRASHES
 * kills and power cuts anywhere, a restart and a doctor that may say either, and an error or Ctrl-C
 * in each phase. What must hold is asserted where it could break, most of it in host.pml.
 *
 * Not in here: COMMITs and other calls that fail, full disks, a lost journal, and strangers who
 * write to a destination. Those are questions to code, and other sweeps ask them. A command that
 * finds the lock taken changes nothing, so only the one that gets it is seen here.
 *
 *   spin -a -DPOLICY=automatic update.pml && cc -O2 -DSAFETY -DNOREDUCE -o pan pan.c &&
 *   ./pan -m100000
 */
#include "bounds.pml"
#include "host.pml"

mtype:task = { nothing, look, prepare, finish_swap, run_next, leave_waiting, run_new, judge, commit,
               discard, put_back, undo, conclude, ask, look_again, tidy }

/* ---- An update, job by job (transaction.cpp). `job` is what comes next. */

inline begin() {
  if
  :: KEPT_NEW -> /* what the last update called new, this one calls old */
     for (f : 0 .. FILES - 1) { folder[LIVE].dest[f] = old; folder[DISK].dest[f] = old };
     brings_a_file = false;
     running = (running == new -> old : running)
  :: else
  fi;
  /* Names of an earlier update that a cut brings back carry its id, so they are not these. */
  for (f : 0 .. FILES - 1) {
    folder[DISK].staged[f] = absent; folder[DISK].saved[f] = absent; unsynced[f] = 0;
    written[f] = false
  };
  f = 0; begun++; booted = false; doctor_passed = false; new_code_ran = false; new_code_again = 0;
  PHASE = none; journal[LIVE].id = begun;
  if :: to_older = true :: to_older = false fi;
  go(none, stage); VISIBLE
}
inline prepare_all() { /* an error or Ctrl-C in here: nothing was changed, and nothing will be */
  atomic { begin(); job = discard };
  stage_file(0); stage_file(1);
  TAKE(file_sync, written[0] = true; written[1] = true);
  if
  :: skip
  :: atomic { go(stage, backup); VISIBLE };
     back_up(0); back_up(1);
     TAKE(backup_sync, sync_folder());
     if
     :: skip
     :: intent = begun;
        atomic { go(backup, swap); POINT(intent_to_swap); job = finish_swap }
     fi
  fi
}
#define trusted (WEAK == look_at_disk && journal[LIVE].resumed > 0)
inline swap_all() { /* goes on where an earlier run stopped */
  do
  :: atomic { f < FILES && !IS_NEW(f) && !trusted -> put_new(f); f++ }
  :: atomic { f < FILES && !IS_NEW(f) -> job = (BOTH(IS_OLD) -> discard : put_back); f = 0; break }
  :: atomic { f < FILES && (IS_NEW(f) || trusted) -> f++ }
  :: atomic { f == FILES -> job = run_next; f = 0; TAKE(swap_sync, sync_folder()); break }
  od
}
inline record_what_runs_next() { /* (b), before any of it does */
  if
  :: !at_boot -> job = put_back /* Ctrl-C */
  :: at_boot && (has_units || has_doctor) -> job = leave_waiting
  :: !at_boot && has_units -> go(swap, restart); POINT(intent_to_run); job = run_new
  :: !at_boot && !has_units && has_doctor -> go(swap, doctor); POINT(intent_to_run); job = judge
  :: !has_units && !has_doctor -> job = commit
  fi
}
inline leave_for_services() {
  if
  :: PHASE == swap -> go(swap, doctor)
  :: PHASE == restart -> go(restart, doctor)
  :: PHASE == doctor
  fi;
  journal[LIVE].waits = true; POINT(note_of_waiting); job = nothing
}
inline run_new_code() {
  atomic { job == run_new ->
    rule(journal[DISK].new_code);
    running = new; new_code_ran = true
  };
  atomic {
    if
    :: job = put_back
    :: !has_doctor -> job = commit
    :: has_doctor -> go(restart, doctor); VISIBLE; job = judge
    fi
  }
}
inline ask_doctor() { /* without one: look whether the units are up */
  rule(journal[DISK].new_code);
  new_code_ran = true;
  if :: WEAK == doctor_first -> go_to_committed(passed); DURABLE :: else fi;
  if
  :: doctor_passed = has_doctor; job = commit
  :: doctor_passed = false; job = put_back
  fi
}
inline give_back() { /* (c'): from here on the way back is the way out */
  if
  :: to_older && MAY_HAVE_RUN_NEW -> job = ask /* what was left was not well either */
  :: true -> go_to_rollback(); POINT(intent_to_undo); job = undo
  fi
}
inline undo_all() {
  do
  :: atomic { f < FILES && IS_OLD(f) -> f++ }
  :: atomic { f < FILES && !IS_OLD(f) -> put_old(f); f++ }
  :: atomic { f == FILES -> f = 0; TAKE(undo_sync, sync_folder()); break }
  od;
  atomic {
    if
    :: !MAY_HAVE_RUN_NEW -> job = conclude
    :: MAY_HAVE_RUN_NEW && at_boot ->
       journal[LIVE].waits = true; POINT(note_of_waiting); job = nothing
    :: MAY_HAVE_RUN_NEW && !at_boot ->
       if :: came_up && running == old :: else -> start_old() fi;
       job = (has_units && running != old -> ask : conclude)
    fi;
    came_up = false
  }
}

/* ---- What recovery decides (decision.cpp). `typed`: --policy rollback on the command line;
   `other`: an `apply` of another version is about to begin. */

#define WAITS journal[LIVE].waits
inline decide() {
  forward = to_older && !typed;
  if
  :: PHASE == stage || PHASE == backup -> job = discard
  :: PHASE == swap ->
     assert(BOTH(NEW_AVAILABLE) && BOTH(OLD_AVAILABLE)); /* either way is open, always */
     job = (forward && journal[LIVE].resumed > 0 -> ask :
            ((forward || POLICY != puts_back) && !other -> finish_swap : put_back))
  :: (PHASE == restart || PHASE == doctor) && WAITS ->
     job = (at_boot -> nothing : (POLICY == puts_back && !forward -> put_back : judge))
  :: (PHASE == restart || PHASE == doctor) && !WAITS ->
     assert(BOTH(IS_NEW) && BOTH(OLD_AVAILABLE));
     job = (forward && journal[LIVE].resumed > 0 -> ask :
            ((forward || (POLICY == replays && journal[LIVE].resumed_after_new_code == 0)) &&
             !other -> (at_boot -> leave_waiting : (PHASE == restart -> run_new : judge)) :
                       put_back))
  :: PHASE == rollback ->
     job = (journal[LIVE].discards -> conclude : (at_boot && WAITS -> nothing : undo))
  :: PHASE == needs_operator -> job = look_again
  fi;
  d_step { forward = false; typed = false; other = false }
}
#define SEEN_BEFORE (journal[LIVE].seen_phase == PHASE && journal[LIVE].seen_files == PICTURE)
#define GOES_ON (job == finish_swap || job == run_new || job == judge || job == leave_waiting)

inline count_it() {
  journal[LIVE].equal = (SEEN_BEFORE -> journal[LIVE].equal + 1 : 1);
  journal[LIVE].seen_phase = PHASE; journal[LIVE].seen_files = PICTURE;
  journal[LIVE].resumed++;
  journal[LIVE].resumed_after_new_code = journal[LIVE].resumed_after_new_code +
                                         (journal[LIVE].new_code -> 1 : 0)
}
inline resume() { /* counted durably before its first effect */
  job = (SEEN_BEFORE && journal[LIVE].equal >= WITHOUT_PROGRESS -> ask : job);
  tries = (tried_phase == PHASE && tried_files == PICTURE -> tries + 1 : 1);
  tried_phase = PHASE; tried_files = PICTURE;
  assert(job == ask || tries <= WITHOUT_PROGRESS);
  new_code_again = new_code_again + (GOES_ON && !WAITS && (new_code_ran || to_older) -> 1 : 0);
  assert(new_code_again <= (to_older || POLICY == replays -> 1 : 0));
  came_up = (PHASE == rollback && WAITS);
  TAKE(count, count_it());
  journal[LIVE].waits = journal[LIVE].waits && at_boot;
  POINT(count_durable)
}
inline look_at_all() { /* what is read is made durable first: it may be in memory only */
  if
  :: atomic { UNFINISHED(PHASE) -> DURABLE;
       if :: !at_boot -> other = true :: skip fi;
       if :: POLICY == puts_back -> typed = true :: skip fi;
       decide();
       if :: job != nothing && job != look_again -> resume() :: else fi
     }
  :: atomic { !UNFINISHED(PHASE) -> DURABLE; remove_own_names(0) };
     atomic { remove_own_names(1);
       if
       :: !at_boot && begun < TRANSACTIONS && PHASE != abandoned -> job = prepare
       :: job = nothing
       fi
     }
  fi
}
/* needs_operator: all old again, or one of the three commands of a person (forced.cpp). */
#define WRITE_ALL(available, is, put) \
  f = (BOTH(available) -> 0 : FILES); \
  do \
  :: atomic { f < FILES && is(f) -> f++ } \
  :: atomic { f < FILES && !is(f) -> put(f); f++ } \
  :: atomic { f == FILES -> f = 0; break } \
  od; \
  sync_folder()
inline force_new(f) { /* it may have been staged, and nobody came to the sync */
  TAKE(forced_sync, written[f] = true);
  put_new(f)
}
inline look_again_or_decide() {
  job = nothing;
  if
  :: BOTH(IS_OLD) ->
     sync_folder();
     if :: MAY_HAVE_RUN_NEW && !at_boot -> start_old() :: else fi;
     if
     :: has_units && !at_boot && running != old
     :: else -> atomic { go_to_rolled_back(); POINT(outcome); job = tidy }
     fi
  :: !BOTH(IS_OLD) /* left for later */
  :: !at_boot -> WRITE_ALL(OLD_AVAILABLE, IS_OLD, put_old);
     if
     :: BOTH(IS_OLD) -> start_old(); atomic { go_to_rolled_back(); POINT(outcome); job = tidy }
     :: else
     fi
  :: !at_boot -> WRITE_ALL(NEW_AVAILABLE, IS_NEW, force_new);
     if
     :: BOTH(IS_NEW) ->
        running = new; atomic { go_to_committed(forced); POINT(outcome); job = tidy }
     :: else
     fi
  :: !at_boot -> atomic { go(needs_operator, abandoned); end_story(); DURABLE; job = tidy }
  fi
}

/* ---- One command, from the lock to the exit, and a worker that gives them. */

#define LOCK_IS_FREE (lock == NOBODY || WEAK == one_lock)
inline take_lock() {
  lock = me; holds[me] = true; job = look; at_boot = !services_up;
  assert(!(holds[0] && holds[1]))
}
/* All or nothing, and the journal says the same as the disk. */
#define ONE_VERSION (PHASE == abandoned || \
    (BOTH(NO_OWN_NAMES) && (KEPT_NEW -> BOTH(IS_NEW) && BOTH(IS_NEW_ON_DISK) : \
                                        BOTH(IS_OLD) && BOTH(IS_OLD_ON_DISK))))
inline leave() {
  assert(UNFINISHED(PHASE) || ONE_VERSION);
  assert(!UNFINISHED(PHASE) || PHASE == needs_operator || (at_boot && WAITS));
  holds[me] = false; lock = NOBODY;
  if
  :: at_boot ->
     /* The boot is a restart, and it starts new code as well. */
     assert(!UNFINISHED(PHASE) || PHASE == needs_operator || journal[DISK].new_code);
     services_come_up() /* and recover runs once more, after them */
  :: else -> at_work[me] = false
  fi;
  at_boot = false;
  /* Whoever was the last to work has left nothing unfinished. */
  assert(at_work[0] || at_work[1] || !UNFINISHED(PHASE) || PHASE == needs_operator)
}
inline carry_on() {
  do
  :: job == look -> look_at_all()
  :: job == prepare -> prepare_all()
  :: job == finish_swap -> swap_all()
  :: atomic { job == run_next -> record_what_runs_next() }
  :: atomic { job == leave_waiting -> leave_for_services() }
  :: run_new_code()
  :: atomic { job == judge -> ask_doctor() }
  :: atomic { job == commit ->
     go_to_committed((has_doctor -> passed : skipped)); POINT(outcome); job = tidy }
  :: atomic { job == discard ->
     journal[LIVE].discards = true; go_to_rollback(); VISIBLE; job = conclude }
  :: atomic { job == put_back -> give_back() }
  :: job == undo -> undo_all()
  :: atomic { job == conclude -> go_to_rolled_back(); POINT(outcome); job = tidy }
  :: atomic { job == ask -> go_to_operator(); DURABLE; job = nothing }
  :: job == look_again -> look_again_or_decide()
  :: job == tidy -> remove_own_names(0); remove_own_names(1); job = look
  :: atomic { job == nothing -> leave(); break }
  od
}
proctype worker(byte me) {
  mtype:task job;
  bool at_boot, typed, other, forward, came_up;
  byte f;
end_rest:
  do
  :: {
       atomic { at_work[me] && LOCK_IS_FREE && (services_up || me == 0) && !DYING -> take_lock() };
       carry_on()
     } unless {
       d_step {
         killed[me] -> killed[me] = false; job = nothing; at_boot = false; came_up = false; f = 0
       }
     }
  od
}
proctype misfortune() {
  byte left = CRASHES;
  do
  :: atomic { left > 0 && holds[0] -> left--; kill(0) }
  :: atomic { left > 0 && holds[1] -> left--; kill(1) }
  :: atomic { left > 0 && !DYING -> left--; cut_power() }
  :: left > 0 -> left = 0 /* no more */
  :: left == 0 -> break
  od
}
init {
  atomic {
    if :: has_units = true :: has_units = false fi;
    if :: has_doctor = true :: has_doctor = false fi;
    if :: brings_a_file = true :: brings_a_file = false fi;
    PHASE = none; journal[LIVE].verdict = unjudged; journal[LIVE].seen_phase = none;
    tried_phase = none; DURABLE;
    at_work[0] = true; at_work[1] = true;
    folder[LIVE].dest[0] = OLD_OF(0); folder[LIVE].dest[1] = old;
    folder[LIVE].staged[0] = absent; folder[LIVE].staged[1] = absent;
    folder[LIVE].saved[0] = absent; folder[LIVE].saved[1] = absent;
    copy_folder(LIVE, DISK);
    run worker(0); run worker(1); run misfortune()
  }
}
