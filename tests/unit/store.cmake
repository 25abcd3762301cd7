foreach(name store store_assign store_care store_digest store_open store_retention store_revocation store_session store_walfile store_webhook store_writer store_damage store_erase store_faults store_log store_message)
    unit_test(${name} store)
    target_sources(test_${name} PRIVATE ../lib/faultvfs.c)
endforeach()
