import time, sys
sys.path.insert(0,'.')
from datetime import *
import pytest
from sqlalchemy import text
from tests.integration.run.town import Town, ZONE
from tests.integration.run.test_triggers import journey, ALL, MORNING, AT
from engine.run import occurrences, schedule
def test_scale(town: Town):
    with town.engine.begin() as c:
        c.execute(text("INSERT INTO contact (user_id, traits, timezone, created_at, updated_at) SELECT 'u'||n, jsonb_build_object('color','red','birthday','1990-03-02'), (ARRAY['Asia/Jakarta','Asia/Tokyo',NULL])[1+n%3], now(), now() FROM generate_series(1,100000) n"))
        c.execute(text("ANALYZE"))
    for name, trig in (("feast","{dates: [2026-03-02, 2026-12-25], segment: everybody}"),("bd","{date: contact.birthday}"),("news",f'{{at: "{AT}", segment: everybody}}')):
        t=time.time(); town.apply(journey(name,trig),segments=(ALL,)); print("apply",name,time.time()-t)
        town.now=MORNING if name!="news" else MORNING
        t=time.time(); n=0
        for _ in range(10): n+=occurrences.fire(town.engine,town.machines,ZONE,town.now)
        print("10 date fires",n,time.time()-t)
        town.now=MORNING-timedelta(hours=12)
    t=time.time(); town.now=MORNING; k=0
    while schedule.fire(town.engine,town.machines,ZONE,town.now): k+=1
    print("broadcast",k,time.time()-t)
@pytest.fixture
def town(database): return Town(database)
