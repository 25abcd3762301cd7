foreach(name diff golden ids parties plan)
    unit_test(replay_${name} replay)
endforeach()
