// The commit is one record. If the machine stops before it is durable, the update is judged by
// recovery; after it, only tidying is left.
#include "engine/step/step.hpp"

namespace update::step {

Status commit(Context& context, Phase from, Verdict verdict) {
  UPDATE_TRY(context.folders.check_in_place(context.env().root));
  UPDATE_TRY(context.session.check_in_place());
  UPDATE_TRY_ASSIGN(const bool swapped, is_swapped(context));
  if (!swapped) return fail(ErrorCode::needs_operator, describe_strangers(context));
  return context.session.record(context.plan.tag.id, from, Phase::committed,
                                commit_detail(verdict, context.plan), Durability::durable);
}

}  // namespace update::step
