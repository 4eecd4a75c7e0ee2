/*
 * How far the search of update.pml goes, and the precautions that it can be told to leave out
 * (-DWEAK=swap_sync): it must then find what that one was for.
 */
#ifndef POLICY
#define POLICY automatic /* or puts_back, or replays */
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef TRANSACTIONS
#define TRANSACTIONS 1
#endif
#ifndef WITHOUT_PROGRESS
#define WITHOUT_PROGRESS 4 /* equal resumptions before a person is asked */
#endif
#ifndef WEAK
#define WEAK all_are_taken
#endif

mtype:policy = { automatic, puts_back, replays }
mtype:precaution = {
  all_are_taken,
  file_sync,         /* staged files are synced */
  backup_sync,       /* the folder is synced after the backups */
  intent_to_swap,    /* (a) is durable before the first rename */
  swap_sync,         /* the folder is synced after the swap */
  intent_to_run,     /* (b) is durable before new code starts */
  doctor_first,      /* the commit comes after the doctor */
  intent_to_undo,    /* (c') is durable before the undo */
  undo_sync,         /* the folder is synced after the undo */
  outcome,           /* (c) and (d') are durable before the backups go */
  note_of_waiting,   /* what waits for the services is durable before they come up */
  count_durable,     /* a resumption is counted durably before its first effect */
  count,             /* or counted at all */
  look_at_disk,      /* recovery looks at the files, and does not believe the journal alone */
  one_lock,          /* two never work at once */
  look_at_boot,      /* an undo knows that a boot may have started new code */
  forced_sync        /* --force-commit syncs what it puts in place */
}

#define TAKE(precaution, what) atomic { if :: WEAK == precaution :: else -> what fi }
/* A durable point; a weak one is visible, and a cut may take it. */
#define POINT(precaution) if :: WEAK == precaution -> VISIBLE :: else -> DURABLE fi
/* A rule is there to prevent harm. Where a precaution is left out, only the harm counts. */
#define rule(what) assert(WEAK != all_are_taken || (what))
