foreach(name diff golden ids plan)
    unit_test(replay_${name} replay)
endforeach()
