"""The simulation: the composed machines with simulated vendors and callers; every law is checked at every step."""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial
from random import Random

from tests.core.resilience.simulation.actors import Caller, Scenario, Site, Violation
from tests.core.resilience.simulation.scheduler import Actor, GaveUp, Park, Scheduler, Sleep, Step
from victor_fp.core.faults import Cancelled, DeadlineExceeded, Fault, RateLimited, TimedOut
from victor_fp.core.resilience import admission as admitting
from victor_fp.core.resilience import breaker as circuit
from victor_fp.core.resilience import call as calling
from victor_fp.core.resilience import fallback, health
from victor_fp.core.resilience.admission import Arrived, Finished, Grant, Refuse, Unsent, Wake, Woken
from victor_fp.core.resilience.breaker import Breaker
from victor_fp.core.resilience.queue import QueueEntry
from victor_fp.core.resilience.rate_limit import Permit
from victor_fp.core.resilience.retry import RetryPolicy

TIMEOUT = 30.0
EPSILON = 1e-6


class Simulation:
    """All sites, callers and their machines on one virtual clock."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.clock = Scheduler(self.check)
        self.sites = {
            name: Site(name, scenario, generous=place != 1)
            for place, name in enumerate(("acme", "globex", "initech")[: scenario.vendors])
        }
        self.callers: dict[int, Caller] = {}
        """Those who have not settled."""
        self.outcomes: dict[str, int] = {}
        self._born = 0

    def run(self) -> None:
        """Bursts of calls for the scenario's hours, then fair weather until everything has recovered."""
        dice, end = Random(f"{self.scenario.seed}/bursts"), self.scenario.hours * 3600.0
        for _ in range(max(1, round(self.scenario.hours * self.scenario.bursts_per_hour))):
            moment = dice.uniform(0.0, end)
            for _ in range(dice.randrange(1, 2 * self.scenario.calls_per_burst)):
                moment += dice.expovariate(dice.choice([0.5, 5.0]))
                self.clock.schedule(moment, self.start_call)
        self.clock.run(end)
        self.restore(end)

    def restore(self, end: float) -> None:
        """Whatever happened, fair weather and a trickle of calls close every breaker and empty every line."""
        for site in self.sites.values():
            site.vendor.healed = True
        for second in range(0, 3600, 20):
            self.clock.schedule(end + second, self.start_call)
        self.clock.run(end + 7200.0)
        self.require(not self.callers, "a call never settled")
        for site in self.sites.values():
            self.require(site.breaker.state == "closed", f"{site.name}: the breaker has not recovered")
            self.require(not site.admission.queue.entries, f"{site.name}: somebody still waits")
            self.require(not site.admission.limiter.under_way, f"{site.name}: a permit was lost")
            self.require(not site.breaker.probes, f"{site.name}: a probe was lost")

    def require(self, holds: object, law: str) -> None:
        """Raise with a story that can be run again."""
        if not holds:
            story = "\n".join(self.clock.trace)
            raise Violation(
                f"{law}\nat {self.clock.now!r}; run again with\n\n    Simulation({self.scenario!r}).run()\n\n{story}"
            )

    def check(self) -> None:
        """The laws that hold at every step."""
        now = self.clock.now
        for site in self.sites.values():
            under_way = {permit.serial for permit in site.admission.limiter.under_way}
            held = site.running | {permit.serial for permit in site.granted.values()}
            self.require(under_way == held, f"{site.name}: a permit was lost or doubled")
            self.require(len(under_way) <= self.scenario.concurrency, f"{site.name}: more in flight than allowed")
            probes = len(site.breaker.probes)
            self.require(probes <= self.scenario.half_open_probes, f"{site.name}: more probes than allowed")
            generation = site.breaker.state_changes if site.breaker.state == "half_open" else -1
            out = {permit for permit in site.tries.values() if permit.generation == generation}
            self.require(set(site.breaker.probes) == out, f"{site.name}: a probe was lost or doubled")
            self.require(site.breaker.total_failures == site.failures, f"{site.name}: a failure was not reported")
            waiting = {entry.ticket for entry in site.admission.queue.entries}
            self.require(waiting == set(site.parked) - set(site.granted), f"{site.name}: the line and its calls differ")
            self.require(not waiting or site.wake < math.inf, f"{site.name}: those who wait will never be woken")
        for caller in self.callers.values():
            self.require(now <= caller.deadline + EPSILON, f"call {caller.number} runs past its deadline")

    def start_call(self) -> None:
        """A new call, and perhaps the moment at which its caller leaves."""
        self._born += 1
        caller = Caller(self._born, self.scenario, self.clock.now)
        self.callers[caller.number] = caller
        caller.actor = Actor(self.run_caller(caller))
        if caller.dice.random() < 0.1:
            actor = caller.actor
            self.clock.schedule(self.clock.now + caller.dice.expovariate(0.2), lambda: self.clock.give_up(actor))
        self.clock.start(caller.actor)

    def run_caller(self, caller: Caller) -> Step:
        """One call over its plan, to its end."""
        names = list(self.sites)
        caller.dice.shuffle(names)
        targets = tuple(fallback.FallbackTarget(provider=name, model=f"{name}-large") for name in names)
        policy = fallback.FallbackPolicy(max_tries=self.scenario.max_tries, even_shares=caller.dice.random() < 0.3)
        plan, order = fallback.begin(targets, policy, self.clock.now, caller.deadline)
        caller.plan = plan
        try:
            while isinstance(order, fallback.CallTarget):
                event = yield from self.call_target(caller, order)
                caller.plan, order = fallback.advance(caller.plan, event, self.clock.now)
        except GaveUp:
            caller.plan, order = fallback.advance(caller.plan, fallback.PlanAbandoned(), self.clock.now)
        self.require(isinstance(order, fallback.SettlePlan), "a plan ended without settling")
        self.settle_plan(caller, order)

    def settle_plan(self, caller: Caller, order: fallback.PlanOrder) -> None:
        """The call is over."""
        assert isinstance(order, fallback.SettlePlan)
        del self.callers[caller.number]
        outcome = "ok" if order.fault is None else type(order.fault).__name__
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.clock.tell(f"call {caller.number} settles: {outcome}")
        tries = sum(caller.sends.values())
        self.require(tries <= self.scenario.max_tries, f"call {caller.number} made {tries} tries")
        self.require(outcome == "Cancelled" or len(order.attempts) >= tries, "a try is missing in the log")
        self.require(order.fault is None or order.fault.attempts == order.attempts, "the fault's log differs")

    def call_target(
        self, caller: Caller, ask: fallback.CallTarget
    ) -> Generator[Sleep | Park, object, fallback.TargetSucceeded | fallback.TargetFailed]:
        """One target of the plan, with retries."""
        site, clock = self.sites[ask.target.provider], self.clock
        caller.seen[site.name] = site.answered
        retries = self.scenario.max_retries
        policy = RetryPolicy(max_retries=retries if ask.max_retries is None else min(retries, ask.max_retries))
        call, breaker, order = calling.begin(
            policy, site.breaker, clock.now, timeout=TIMEOUT, deadline=ask.deadline, provider=site.name
        )
        try:
            while True:
                self.check_limits(site, caller, call, breaker)
                event: calling.CallEvent
                match order:
                    case calling.Send():
                        event, call = yield from self.send_attempt(caller, site, call, order)
                    case calling.Wait(seconds):
                        self.require(clock.now + seconds < caller.deadline, "a rest past the deadline was begun")
                        yield Sleep(seconds)
                        event = calling.WaitEnded()
                    case calling.Settle(None, attempts):
                        return fallback.TargetSucceeded(attempts)
                    case calling.Settle(fault):
                        assert fault is not None
                        return fallback.TargetFailed(fault)
                    case calling.Deliver():
                        raise Violation("Deliver outside of a send")
                call, breaker, order = calling.advance(call, site.breaker, event, clock.now)
        except GaveUp:
            # The call machine may have been committed meanwhile, so the caller's flag represents its state.
            if caller.committed and isinstance(call.order, calling.Send):
                call, _, _ = calling.advance(call, site.breaker, calling.Committed(), clock.now)
            call, breaker, _ = calling.advance(call, site.breaker, calling.Abandoned(), clock.now)
            site.answered += caller.committed  # a stream that was left had been answered
            self.check_limits(site, caller, call, breaker)
            raise

    def check_limits(self, site: Site, caller: Caller, call: calling.CallState, breaker: Breaker | None) -> None:
        """Note the breaker's new state, and the permit that the caller holds of it."""
        assert breaker is not None
        site.breaker = breaker
        site.tries.pop(caller.number, None)
        if call.permit is not None:
            site.tries[caller.number] = call.permit

    def send_attempt(
        self, caller: Caller, site: Site, call: calling.CallState, order: calling.Send
    ) -> Generator[Sleep | Park, object, tuple[calling.CallEvent, calling.CallState]]:
        """One try: leave of the rate limit, the request, and what the vendor makes of it."""
        clock = self.clock
        ticket = caller.number
        answer = yield from self.wait_in_queue(caller, site, ticket, order.deadline)
        if not isinstance(answer, Permit):
            return calling.Refused(answer), call
        self.may_send(caller, site, answer)
        timeout = min(order.timeout, order.deadline - clock.now)
        began, fault, used = clock.now, None, None
        reply = site.vendor.answer(clock.now, caller.dice, caller.tokens, stream=caller.stream)
        finished: Fault | None = Cancelled()
        try:
            if reply.first is not None and reply.first < timeout:
                yield Sleep(reply.first)
                caller.committed = True
                assert caller.plan is not None
                caller.plan, _ = fallback.advance(caller.plan, fallback.TargetCommitted(), clock.now)
                call, _, _ = calling.advance(call, site.breaker, calling.Committed(), clock.now)
                timeout = order.deadline - began
            yield Sleep(max(0.0, min(reply.seconds, timeout) - (clock.now - began)))
            fault = reply.fault
            if reply.seconds > timeout:
                fault = DeadlineExceeded() if caller.committed else TimedOut()
            elif fault is None:
                used = reply.used
            finished = fault
        finally:
            site.running.discard(answer.serial)
            over = Finished(permit=answer, fault=finished, used=used, reported=reply.reported)
            self.apply_event(site, over)
            site.health = health.observe(site.health, circuit.judge_fault(finished), clock.now - began, clock.now)
        if fault is None:
            site.answered += 1
            return calling.Succeeded(200), call
        if isinstance(fault, RateLimited):
            # While others are answered, a rate limit costs no retry.
            if site.answered > caller.seen[site.name] and self.scenario.max_retries > 0:
                caller.sends[site.name] -= 1
            caller.seen[site.name] = site.answered
        site.failures += circuit.judge_fault(fault) == "failed"
        if fault.retry_after is not None:
            caller.not_before[site.name] = clock.now + fault.retry_after
            site.quiet = (clock.now, max(clock.now + fault.retry_after, site.quiet[1]))
        clock.tell(f"call {caller.number} at {site.name}: {type(fault).__name__} {fault.retry_after or ''}")
        return calling.Failed(fault, caller.dice.random()), call

    def may_send(self, caller: Caller, site: Site, permit: Permit) -> None:
        """The laws at the moment of sending."""
        now, name = self.clock.now, site.name
        self.require(not caller.committed, f"call {caller.number} sends after its answer has begun")
        self.require(now >= caller.not_before.get(name, -math.inf) - EPSILON, f"Retry-After of {name} was not obeyed")
        since, until = site.quiet
        self.require(not since < permit.issued < until - EPSILON, f"{name} asked for quiet and was not left alone")
        caller.sends[name] = caller.sends.get(name, 0) + 1
        self.require(caller.sends[name] <= self.scenario.max_retries + 1, f"call {caller.number}: budget overdrawn")
        site.sent = [moment for moment in site.sent if moment > now - 60.0]
        site.sent.append(now)
        self.require(len(site.sent) <= self.scenario.requests_per_minute, f"{name}: too many in a minute")
        self.clock.tell(f"call {caller.number} sends to {name}")

    def wait_in_queue(
        self, caller: Caller, site: Site, ticket: int, deadline: float
    ) -> Generator[Sleep | Park, object, Permit | Fault]:
        """Ask for leave and wait for it."""
        assert caller.actor is not None
        site.parked[ticket] = caller.actor
        self.apply_event(
            site, Arrived(ticket=ticket, priority=caller.priority, tokens=caller.tokens, deadline=deadline)
        )
        try:
            answer = yield Park()
        except GaveUp:
            site.parked.pop(ticket, None)
            granted = site.granted.pop(ticket, None)
            self.apply_event(site, admitting.GaveUp(ticket) if granted is None else Unsent(granted))
            raise
        if isinstance(answer, Permit):
            del site.granted[ticket]
            site.running.add(answer.serial)
            return answer
        assert isinstance(answer, Refuse)
        return answer.fault

    def apply_event(self, site: Site, event: admitting.AdmissionEvent) -> None:
        """Give an event to a site's admission and carry out its orders."""
        before = site.admission.queue.entries
        site.admission, orders = admitting.advance(site.admission, event, self.clock.now)
        for order in orders:
            match order:
                case Grant(ticket, permit):
                    self.check_order(site, ticket, before)
                    site.granted[ticket] = permit
                    self.answer(site, ticket, permit)
                case Refuse(ticket):
                    self.answer(site, ticket, order)
                case Wake(at):
                    self.require(at > self.clock.now, f"{site.name}: woken in the past")
                    site.wake = at
                    self.clock.schedule(at, partial(self.schedule_wake, site, at))

    def answer(self, site: Site, ticket: int, value: Permit | Refuse) -> None:
        """A caller is notified a moment later, as by an event loop."""
        actor = site.parked[ticket]
        if isinstance(value, Refuse):
            del site.parked[ticket]
        turn = actor.turn

        def deliver() -> None:
            site.parked.pop(ticket, None)
            if actor.turn in {turn, turn + 1} and not actor.done:
                self.clock.resume(actor, value)

        self.clock.schedule(self.clock.now, deliver)

    def schedule_wake(self, site: Site, at: float) -> None:
        """Only the last Wake counts."""
        if site.wake == at:
            site.wake = math.inf
            self.apply_event(site, Woken())

    def check_order(self, site: Site, ticket: int, before: tuple[QueueEntry, ...]) -> None:
        """A granted call had no waiting call before it in the queue, by level and by time with ageing."""
        mine = [entry for entry in before if entry.ticket == ticket]
        left = site.admission.queue.entries
        ageing = site.admission.queue.policy.ageing
        assert ageing is not None
        for entry in mine:
            turn = entry.joined + ageing * entry.priority
            self.require(
                all(turn <= other.joined + ageing * other.priority for other in left if other in before),
                f"{site.name}: call {ticket} passed the line",
            )
